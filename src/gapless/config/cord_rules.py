"""Which services need a cord, and which cannot have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gapless.config.balancers import BalancerConfig
from gapless.config.references import Finding
from gapless.config.services import ServiceConfig


def check_cords(
    services: Mapping[str, ServiceConfig], balancers: Mapping[str, BalancerConfig]
) -> Iterator[Finding]:
    """One finding for each service behind a balancer that knows but the health of containers."""
    for name, service in services.items():
        for balancer in service.balancer:
            if balancer in balancers and balancers[balancer].traefik_labels is not None:
                yield from _needed(name, balancer, service)


def _needed(name: str, balancer: str, service: ServiceConfig) -> Iterator[Finding]:
    containers = service.containers
    if containers is None:
        text = f"{balancer}: Traefik finds containers by their labels, and this is none"
        yield Finding(("services", name, "balancer"), text, "write traefik: with its file")
        return
    kind = "compose" if service.compose is not None else "docker"
    if containers.cord is None:
        text = f"cord: {balancer} can take out a container by its health alone"
        yield Finding(("services", name, kind), text, "write cord: 1s")
    if containers.reach == "host":
        text = f"reach: host: {balancer} knows containers by their own addresses"
        yield Finding(("services", name, kind, "reach"), text, "leave it out")
