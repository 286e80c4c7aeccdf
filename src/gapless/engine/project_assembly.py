"""The real drivers of a rollout, made from the configuration its plan carries."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gapless.clock import Clock
from gapless.config.groups import groups_of, hosts_on
from gapless.config.health import HealthConfig
from gapless.config.hosts import HostConfig
from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.drivers import registry
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.releases.base import Release
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Probe, Transport
from gapless.engine.connections import Connections


def this_machine() -> HostConfig:
    """The machine gapless runs on; $GAPLESS_STATE moves everything it keeps there."""
    chosen = os.environ.get("GAPLESS_STATE")
    return HostConfig(transport="local", state_dir=f"{chosen}/host" if chosen else None)


class ProjectAssembly:
    """Makes each driver once; connections open at first use. ``kept`` connections are somebody
    else's: they are used and left open."""

    def __init__(
        self, config: ProjectConfig, clock: Clock, kept: Connections | None = None
    ) -> None:
        self.config = config
        self._clock = clock
        self._local = this_machine()
        self._groups = groups_of(config.hosts)
        self._kept = kept
        self._connections = kept or Connections(config.defaults.connections)
        self._transports: dict[str, Transport] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._releases: dict[str, Release | None] = {}
        self._balancers: dict[str, Balancer] = {}

    @property
    def project(self) -> str:
        """Project name."""
        return self.config.project

    def transport(self, host: str) -> Transport:
        """The one connection to a host; "" is the machine gapless runs on."""
        if host not in self._transports:
            config = self.config.hosts[host] if host else self._local
            self._transports[host] = self._connections.to(host, config)
        return self._transports[host]

    def service(self, name: str) -> ServiceConfig:
        """A service as configured."""
        return self.config.services[name]

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """All hosts that run the service: by name, or by group."""
        return hosts_on(self.service(service).on, self.config.hosts, self._groups)

    def runtime(self, service: str) -> Runtime:
        """What starts and stops it."""
        if service not in self._runtimes:
            config = self.service(service)
            self._runtimes[service] = registry.runtime(service, config, self._address, self._state)
        return self._runtimes[service]

    def release(self, service: str) -> Release | None:
        """How its versions come to hosts."""
        if service not in self._releases:
            config = self.service(service).release
            self._releases[service] = (
                registry.release(service, config, self.project) if config else None
            )
        return self._releases[service]

    def balancers(self, service: str) -> tuple[Balancer, ...]:
        """What sends traffic to it."""
        return tuple(self._balancer(name) for name in self.service(service).balancer)

    def _balancer(self, name: str) -> Balancer:
        if name not in self._balancers:
            self._balancers[name] = registry.balancer(
                name, self.config.balancers[name], self.transport, self._clock, self._address
            )
        return self._balancers[name]

    def health(self, service: str, host: str) -> Sequence[Probe]:
        """Its health checks as asked on a host."""
        return self._probes(self.service(service).health, service, host)

    def verify(self, service: str, host: str) -> Sequence[Probe]:
        """Its checks after the soak."""
        return self._probes(self.service(service).verify, service, host)

    def _probes(self, checks: Sequence[HealthConfig], service: str, host: str) -> Sequence[Probe]:
        return build_probes(checks, host=host, address=self._address(host), service=service)

    def _address(self, host: str) -> str:
        return self.config.hosts[host].address or host

    def reconnect_limit(self, host: str) -> float:
        """Seconds a lost host may take to come back."""
        return self.config.hosts[host].reconnect if host else self._local.reconnect

    def state_dir(self, host: str) -> str:
        """Folder on the host for copies needed to go back."""
        return f"{self._state(host)}/snapshots"

    def _state(self, host: str) -> str:
        config = self.config.hosts[host] if host else self._local
        return config.state_dir or "/var/lib/gapless"

    async def close(self) -> None:
        """Close the connections, unless they are kept."""
        if self._kept is None:
            await self._connections.close()
