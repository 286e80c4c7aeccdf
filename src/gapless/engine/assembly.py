"""The drivers of one rollout, made from the plan's own definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gapless.config.judging import JudgeConfig
from gapless.config.services import ServiceConfig
from gapless.config.verify_levels import LevelConfig
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.levels import LevelSource
from gapless.drivers.checks.rates import RateSource
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.config_files.files import ConfigFiles
from gapless.drivers.releases.base import Release
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Probe, Transport
from gapless.model import Instance


class Assembly(Protocol):
    """Hands out drivers; makes each once. ``host`` "" is the machine gapless runs on; where a host
    has several instances, it is the place of one of them (see ``places``)."""

    @property
    def project(self) -> str:
        """Project name."""
        ...

    def transport(self, host: str) -> Transport:
        """The one connection to a host."""
        ...

    def service(self, name: str) -> ServiceConfig:
        """A service as configured."""
        ...

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """All hosts that run the service, touched or not; places where they run several."""
        ...

    def runtime(self, service: str, host: str = "") -> Runtime:
        """What starts and stops its instance on a host; "" for what is the same for all."""
        ...

    def release(self, service: str) -> Release | None:
        """How its versions come to hosts."""
        ...

    def config_files(self, service: str) -> ConfigFiles | None:
        """The configuration files that a deploy brings with it."""
        ...

    def balancers(self, service: str) -> tuple[Balancer, ...]:
        """What sends traffic to it."""
        ...

    def cluster(self, service: str) -> Cluster | None:
        """The cluster that its instances are members of."""
        ...

    def neighbours(self, service: str) -> Mapping[str, tuple[str, ...]]:
        """Other services that are clusters and have members on its hosts; where these are."""
        ...

    def health(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its health checks as asked on its host; ``release`` is the name of what it is to have."""
        ...

    def warm(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its warm-up requests, one for each of its configuration."""
        ...

    def verify(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its checks after the soak."""
        ...

    def rates(self, service: str) -> tuple[tuple[JudgeConfig, RateSource], ...]:
        """What counts its errors from the switch on, and how the counts are judged; each source is
        made once, because it keeps what it read before the first change."""
        ...

    def levels(self, service: str) -> tuple[tuple[LevelConfig, LevelSource], ...]:
        """What has to be back after each of its instances, and who knows it."""
        ...

    def reconnect_limit(self, host: str) -> float:
        """Seconds a lost host may take to come back."""
        ...

    def state_dir(self, host: str) -> str:
        """Folder on the host for copies needed to go back."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
