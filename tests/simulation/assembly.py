"""Real engine, real systemd runtime, real claims and checks — over a world in virtual time."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Mapping, Sequence
from functools import partial

from gapless.config.judging import JudgeConfig
from gapless.config.neighbours import neighbours
from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.config.verify_levels import LevelConfig
from gapless.drivers import registry
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.levels import LevelSource
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.checks.rates import RateSource
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.clocked import ClockedCluster
from gapless.drivers.config_files.files import ConfigFiles, ConfigSecrets
from gapless.drivers.config_files.marks import Marks
from gapless.drivers.releases.base import Release, ReleaseRef
from gapless.drivers.releases.directory_host import target_of
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.drivers.runtimes.systemd_pair import SystemdPair
from gapless.drivers.transports.base import Probe, Transport
from gapless.errors import ActionFailed
from gapless.model import Command, Instance
from gapless.places import machine_of, number_of, places_on
from gapless.testing.fake_cluster import FakeCluster
from gapless.testing.fake_traffic import FakeBalancer
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.world import World

MARKS = Marks(b"the key of every controller here")


class SimRelease:
    """A release whose content does not matter: a folder and the link to it."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = folder, name

    def resolve(self, name: str = "") -> ReleaseRef:
        wanted = name or self._name
        return ReleaseRef(wanted, path=f"{self._folder}/releases/{wanted}")

    async def current(self, transport: Transport) -> ReleaseRef | None:
        name = posixpath.basename(await target_of(transport, f"{self._folder}/current"))
        return ReleaseRef(name, path=f"{self._folder}/releases/{name}") if name else None

    async def stage(self, transport: Transport, ref: ReleaseRef) -> int:
        done = await transport.run(Command(("mkdir", "-p", ref.path)))
        if not done.ok:
            raise ActionFailed("cannot stage", where=transport.host, evidence=done.evidence())
        return 100

    async def unstage(self, transport: Transport, ref: ReleaseRef) -> None:
        await transport.run(Command(("rm", "-rf", ref.path)))

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        temporary = f"{self._folder}/.current.{ref.name}"
        return (
            Command(("ln", "-sfn", f"releases/{ref.name}", temporary)),
            Command(("mv", "-fT", temporary, f"{self._folder}/current")),
        )

    def deactivation(self) -> tuple[Command, ...]:
        return (Command(("rm", "-f", f"{self._folder}/current")),)

    async def prune(self, transport: Transport, keep: tuple[str, ...]) -> tuple[str, ...]:
        return ()


class SimAssembly:
    """The drivers of one simulated controller."""

    def __init__(self, world: World, config: ProjectConfig, release: str) -> None:
        self._world, self._config, self._release = world, config, release
        self._transports: dict[str, FakeTransport] = {}
        self._balancers: dict[str, FakeBalancer] = {}
        self._seats: dict[str, Balancer] = {}
        self._clusters: dict[str, Cluster] = {}

    @property
    def project(self) -> str:
        return self._config.project

    def transport(self, host: str) -> Transport:
        host = machine_of(host)
        if host not in self._transports:
            self._transports[host] = self._world.transport(host)
        return self._transports[host]

    def service(self, name: str) -> ServiceConfig:
        return self._config.services[name]

    def hosts_of(self, service: str) -> tuple[str, ...]:
        return places_on(self.service(service).on, self.service(service).replicas)

    def runtime(self, service: str, host: str = "") -> Runtime:
        systemd = self.service(service).systemd
        assert systemd is not None
        systemd = systemd.at(number_of(host))
        return (SystemdPair if systemd.paired else SystemdRuntime)(systemd, service)

    def release(self, service: str) -> Release | None:
        return SimRelease(f"/srv/{service}", self._release) if self._release else None

    def config_files(self, service: str) -> ConfigFiles | None:
        if not self.service(service).config:
            return None
        return ConfigFiles(self._config, service, MARKS, ConfigSecrets())

    def balancers(self, service: str) -> tuple[Balancer, ...]:
        names = self.service(service).balancer
        named = (
            self._balancers.setdefault(name, FakeBalancer(self._world.traffic[name]))
            for name in names
        )
        return (*named, *self._seat(service))

    def cluster(self, service: str) -> Cluster | None:
        members, config = self._world.clusters.get(service), self.service(service).cluster
        if members is None or config is None:
            return None
        if service not in self._clusters:
            hosts, clock = self.hosts_of(service), self._world.clock
            self._clusters[service] = ClockedCluster(
                FakeCluster(members), hosts, self.transport, clock, config.clock_skew
            )
        return self._clusters[service]

    def neighbours(self, service: str) -> Mapping[str, tuple[str, ...]]:
        return neighbours(service, self._config.services, self.hosts_of)

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
                clock=self._world.clock,
                project=self.project,
                state=lambda _: "/var/lib/gapless",
            )
        return (self._seats[service],)

    def health(self, instance: Instance, release: str) -> Sequence[Probe]:
        checks = self.service(instance.service).health
        return build_probes(checks, instance, address=machine_of(instance.host), release=release)

    def warm(self, instance: Instance, release: str) -> Sequence[Probe]:
        return ()

    def verify(self, instance: Instance, release: str) -> Sequence[Probe]:
        return ()

    def levels(self, service: str) -> tuple[tuple[LevelConfig, LevelSource], ...]:
        return ()

    def rates(self, service: str) -> tuple[tuple[JudgeConfig, RateSource], ...]:
        return ()

    def reconnect_limit(self, host: str) -> float:
        return 20.0

    def state_dir(self, host: str) -> str:
        return "/var/lib/gapless/snapshots"

    async def close(self) -> None:
        await asyncio.gather(*(transport.close() for transport in self._transports.values()))
