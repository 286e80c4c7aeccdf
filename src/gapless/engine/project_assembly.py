"""The real drivers of a rollout, made from the configuration its plan carries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.groups import groups_of, hosts_on
from gapless.config.health import HealthConfig
from gapless.config.hosts import HostConfig
from gapless.config.judging import JudgeConfig
from gapless.config.neighbours import neighbours
from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.config.template_names import references_for
from gapless.config.verify_levels import LevelConfig
from gapless.drivers import registry
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.levels import LevelSource
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.checks.rates import RateSource
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.clocked import ClockedCluster
from gapless.drivers.config_files.files import ConfigFiles, ConfigSecrets
from gapless.drivers.config_files.rendering import Written
from gapless.drivers.releases.base import Release
from gapless.drivers.releases.workshop import Workshop
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.paired import copies_of, located
from gapless.drivers.transports.base import Probe, Transport
from gapless.drivers.transports.held import Held
from gapless.engine.config_key import config_marks
from gapless.engine.connections import Connections
from gapless.engine.state_home import release_store
from gapless.model import Instance
from gapless.places import machine_of, number_of, places_on


def this_machine() -> HostConfig:
    """The machine gapless runs on; $GAPLESS_STATE moves everything it keeps there."""
    chosen = os.environ.get("GAPLESS_STATE")
    return HostConfig(transport="local", state_dir=f"{chosen}/host" if chosen else None)


class ProjectAssembly:
    """Makes each driver once; connections open at first use. ``kept`` connections are somebody
    else's: they are used and left open. ``written`` tells where gapless.yaml says what is wrong,
    for what is made from it and not from a plan."""

    def __init__(
        self,
        config: ProjectConfig,
        clock: Clock,
        kept: Connections | None = None,
        written: Written | None = None,
    ) -> None:
        self.config = config
        self._clock = clock
        self._local = this_machine()
        self._groups = groups_of(config.hosts)
        self._kept = kept
        self._written = written
        self._connections = kept or Connections(config.defaults)
        self._transports: dict[str, Transport] = {}
        self._runtimes: dict[tuple[str, int], Runtime] = {}
        self._releases: dict[str, Release | None] = {}
        self._config_files: dict[str, ConfigFiles] = {}
        self._config_secrets = ConfigSecrets()
        self._balancers: dict[str, Balancer] = {}
        self._seats: dict[str, Balancer] = {}
        self._clusters: dict[str, Cluster] = {}
        self._secrets = KeptSecrets()
        self._rates: dict[str, tuple[tuple[JudgeConfig, RateSource], ...]] = {}

    @property
    def project(self) -> str:
        """Project name."""
        return self.config.project

    def transport(self, host: str) -> Transport:
        """The one connection to a host; "" is the machine gapless runs on."""
        host = machine_of(host)
        if host not in self._transports:
            config = self._host(host)
            self._transports[host] = self._connections.to(host, config)
        return self._transports[host]

    def service(self, name: str) -> ServiceConfig:
        """A service as configured."""
        return self.config.services[name]

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """All hosts that run the service: by name, or by group."""
        one = self.service(service)
        return places_on(hosts_on(one.on, self.config.hosts, self._groups), one.replicas)

    def runtime(self, service: str, host: str = "") -> Runtime:
        """What starts and stops its instance on a host."""
        number = number_of(host)
        if (service, number) not in self._runtimes:
            config = self.service(service)
            made = registry.runtime(
                service, config, self._address, self._state, number, project=self.project
            )
            self._runtimes[service, number] = made
        return self._runtimes[service, number]

    def release(self, service: str) -> Release | None:
        """How its versions come to hosts."""
        if service not in self._releases:
            config = self.service(service).release
            self._releases[service] = (
                registry.release(service, config, self._workshop()) if config else None
            )
        return self._releases[service]

    def config_files(self, service: str) -> ConfigFiles | None:
        """The configuration files that a deploy brings with it."""
        if not self.service(service).config:
            return None
        if service not in self._config_files:
            self._config_files[service] = ConfigFiles(
                self.config, service, config_marks(), self._config_secrets, self._written
            )
        return self._config_files[service]

    def balancers(self, service: str) -> tuple[Balancer, ...]:
        """What sends traffic to it, or what has its copies hand over to each other."""
        named = (self._balancer(name) for name in self.service(service).balancer)
        return (*named, *self._seat(service))

    def cluster(self, service: str) -> Cluster | None:
        """The cluster that its instances are members of."""
        config = self.service(service).cluster
        if config is None:
            return None
        if service not in self._clusters:
            hosts = self.hosts_of(service)
            driver = registry.cluster(
                service, config, hosts, self.transport, self._clock, address=self._address
            )
            self._clusters[service] = ClockedCluster(
                driver, hosts, self.transport, self._clock, config.clock_skew
            )
        return self._clusters[service]

    def neighbours(self, service: str) -> Mapping[str, tuple[str, ...]]:
        """Other services that are clusters and have members on its hosts; where these are."""
        return neighbours(service, self.config.services, self.hosts_of)

    def _seat(self, service: str) -> tuple[Balancer, ...]:
        config = self.service(service).handover
        if config is None:
            return ()
        if service not in self._seats:
            self._seats[service] = registry.seat(
                service,
                config,
                runtime=partial(self.runtime, service),
                transports=self.transport,
                clock=self._clock,
                project=self.project,
                state=self._state,
            )
        return (self._seats[service],)

    def _balancer(self, name: str) -> Balancer:
        if name not in self._balancers:
            self._balancers[name] = registry.balancer(
                name, self.config.balancers[name], self.transport, self._clock, self._address
            )
        return self._balancers[name]

    def health(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its health checks as asked on its host; ``release`` is the name of what it is to have."""
        return self._probes(self.service(instance.service).health, instance, release)

    def warm(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its warm-up requests, one for each of its configuration."""
        checks = [warm.check for warm in self.service(instance.service).warm]
        return self._probes(checks, instance, release)

    def verify(self, instance: Instance, release: str) -> Sequence[Probe]:
        """Its checks after the soak."""
        return self._probes(self.service(instance.service).verify, instance, release)

    def rates(self, service: str) -> tuple[tuple[JudgeConfig, RateSource], ...]:
        """What counts its errors from the switch on, and how the counts are judged."""
        if service not in self._rates:
            self._rates[service] = registry.rates(self.service(service), self._reach(service))
        return self._rates[service]

    def levels(self, service: str) -> tuple[tuple[LevelConfig, LevelSource], ...]:
        """What has to be back after each of its instances, and who knows it."""
        return registry.levels(self.service(service), self._reach(service))

    def _reach(self, service: str) -> Reach:
        return Reach(
            service=service,
            unit=partial(self._units, service),
            transport=self.transport,
            address=self._address,
            balancers=lambda: self.balancers(service),
            clock=self._clock,
            secrets=self._secrets,
            references=partial(self._references, service),
            copies=self._copies,
        )

    async def _copies(self, instance: Instance) -> tuple[Instance, ...]:
        """Where containers have addresses of their own, their host is asked for them."""
        runtime = self.runtime(instance.service, instance.host)
        containers = self.service(instance.service).containers
        copies = copies_of(runtime, instance)
        if containers is None or containers.reach == "host":
            return copies
        return await located(runtime, self.transport(instance.host), copies)

    def _units(self, service: str, host: str) -> str:
        systemd, number = self.service(service).systemd, number_of(host)
        return " ".join(systemd.at(number).units) if systemd else ""

    def _references(self, service: str, host: str) -> Iterable[str]:
        """Every secret that an instance is given, or asked with."""
        config = self.service(service)
        for check in config.health:
            if check.http_check is not None:
                yield from check.http_check.secrets.values()
        for evidence in config.verify:
            yield from evidence.secret_references
        yield from references_for(self.config, service, machine_of(host)).values()

    def _probes(
        self, checks: Sequence[HealthConfig], instance: Instance, release: str
    ) -> Sequence[Probe]:
        address = self._address(instance.host)
        return build_probes(checks, instance, address=address, release=release)

    def _workshop(self) -> Workshop:
        """Where releases are made: what one environment brought, another one has."""
        return Workshop(release_store(), self._apart)

    def _apart(self, host: str) -> Transport:
        """A connection of its own, for what runs beside the rollout."""
        return registry.transport(host, self.config.hosts[host], Held(1))

    def _address(self, host: str) -> str:
        host = machine_of(host)
        return self.config.hosts[host].address or host

    def _host(self, host: str) -> HostConfig:
        return self.config.hosts[machine_of(host)] if host else self._local

    def reconnect_limit(self, host: str) -> float:
        """Seconds a lost host may take to come back."""
        return self._host(host).reconnect

    def state_dir(self, host: str) -> str:
        """Folder on the host for copies needed to go back."""
        return f"{self._state(host)}/snapshots"

    def _state(self, host: str) -> str:
        return self._host(host).state_dir or "/var/lib/gapless"

    async def close(self) -> None:
        """Close the connections, unless they are kept."""
        if self._kept is None:
            await self._connections.close()
