"""``balancers:`` — what sends traffic to instances."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import model_validator

from gapless.config.balancer_caddy import CaddyConfig
from gapless.config.balancer_command import CommandBalancerConfig
from gapless.config.balancer_consul import ConsulConfig
from gapless.config.balancer_elbv2 import Elbv2Config
from gapless.config.balancer_envoy import EnvoyConfig
from gapless.config.balancer_etcd import EtcdConfig
from gapless.config.balancer_haproxy import HaproxyConfig
from gapless.config.balancer_ipvs import IpvsConfig
from gapless.config.balancer_kind import BalancerKind, OnHosts
from gapless.config.balancer_nginx import NginxConfig
from gapless.config.balancer_traefik import TraefikConfig
from gapless.config.balancer_traefik_labels import TraefikLabelsConfig
from gapless.config.base import Section
from gapless.config.quantities import Count, Duration, Limit


class BalancerConfig(Section):
    """Exactly one driver, and the limits of draining and admitting."""

    haproxy: HaproxyConfig | None = None
    """HAProxy, through its runtime API."""
    nginx: NginxConfig | None = None
    """nginx, by a marked part of a file it includes, and a reload."""
    caddy: CaddyConfig | None = None
    """Caddy, through its admin API."""
    consul: ConsulConfig | None = None
    """Consul, through its maintenance mode."""
    etcd: EtcdConfig | None = None
    """Load balancers that follow keys in etcd, as PyBal follows conftool."""
    envoy: EnvoyConfig | None = None
    """Envoy, by the file of its endpoints (EDS)."""
    elbv2: Elbv2Config | None = None
    """AWS load balancers, by their target groups."""
    traefik: TraefikConfig | None = None
    """Traefik, by a file of its file provider, and its API."""
    traefik_labels: TraefikLabelsConfig | None = None
    """Traefik that finds containers by their labels, by their health."""
    ipvs: IpvsConfig | None = None
    """IPVS (LVS), by weights."""
    command: CommandBalancerConfig | None = None
    """Any other balancer, through commands."""
    drain_timeout: Duration = 30.0
    """How long connections may take to end before on_drain_timeout decides."""
    on_drain_timeout: Literal["proceed", "fail"] = "proceed"
    """What happens to connections still open at the limit: go on (the report counts them) or stop
    and admit again."""
    admit_timeout: Limit = 30.0
    """How long the balancer may take to report the instance up."""
    floor: Count = 0
    """Least number of members that must be up in it besides the one being drained; not with
    command. The floor of each service is held in any balancer."""

    @model_validator(mode="after")
    def _one_driver(self) -> Self:
        known = kinds(type(self))
        if sum(getattr(self, kind) is not None for kind in known) != 1:
            raise ValueError(f"give exactly one of {', '.join(known)}")
        if self.floor and not self.driver.holds_floor:
            raise ValueError(
                f"{self.kind} cannot hold a floor; that of a service is held in any balancer"
            )
        return self

    @property
    def kind(self) -> str:
        """The key of its driver."""
        return next(kind for kind in kinds(type(self)) if getattr(self, kind) is not None)

    @property
    def driver(self) -> BalancerKind:
        """The keys of its driver."""
        chosen: BalancerKind = getattr(self, self.kind)
        return chosen

    @property
    def on(self) -> tuple[str, ...]:
        """The hosts it is steered on; none: the machine gapless runs on."""
        return self.driver.on if isinstance(self.driver, OnHosts) else ()


def kinds(model: type[BalancerConfig] = BalancerConfig) -> dict[str, type[BalancerKind]]:
    """Every kind of balancer there is, by its key: the fields that hold the keys of one."""
    found = {}
    for name, field in model.model_fields.items():
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, BalancerKind):
                found[name] = part
    return found
