"""A service on hosts in virtual time, and whole rollouts on it: what seed 000 is held against."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded
from gapless.drivers.runtimes.brought import brought_digest
from gapless.engine.outcome import Ending
from gapless.engine.rollback import switched
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.model import Command, Instance
from gapless.planning.make import make_plan
from gapless.planning.options import PlanOptions, Target
from gapless.planning.survey import Drivers, Survey, survey
from gapless.plans import Plan, Verb
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.world import World
from gapless.undo import rollback_plan
from tests.simulation.assembly import SimAssembly, SimRelease

HOSTS = ("web1", "web2")
PORTS = {"api": 8000, "db": 8001, "mail": 8002}
NO_OPTIONS: dict[str, Any] = {}
TIMING = {"timeout": "5s", "interval": "1s", "retries": 1, "retry_delay": "200ms"}


@dataclass
class SeedSite:
    """One service ``api`` on two hosts; ``service`` replaces or adds keys of it."""

    service: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    world: World = field(default_factory=World)
    journal: SqliteJournal = field(default_factory=lambda: SqliteJournal(None))
    events: list[Event] = field(default_factory=list)
    ran: list[Command] = field(default_factory=list)
    """Commands of the program ``migrate``."""
    migration_status: int = 0
    looks: bool = False
    """Whether hosts are asked before a plan is made."""
    balancers: tuple[str, ...] = ()
    plan: Plan | None = None
    """The last plan that was made."""

    def __post_init__(self) -> None:
        for name in HOSTS:
            self.host(name).programs["migrate"] = self._migrate
            for service in ("api", *self.others):
                self._install(name, service)

    def _install(self, name: str, service: str) -> None:
        files = self.host(name).files
        files.mkdir(f"/srv/{service}/releases/v1")
        files.link("releases/v1", f"/srv/{service}/current")
        unit = self.host(name).add_unit(
            f"{service}.service", port=PORTS[service], release_link=f"/srv/{service}/current"
        )
        unit.run_already()

    async def _migrate(self, host: FakeHost, command: Command) -> tuple[int, str, str]:
        self.ran.append(command)
        return self.migration_status, "", "P3018: it failed\n" if self.migration_status else ""

    def host(self, name: str) -> FakeHost:
        return self.world.host(name)

    def unit(self, name: str = "web1", service: str = "api") -> FakeUnit:
        return self.host(name).units[f"{service}.service"]

    def versions(self, service: str = "api") -> list[str]:
        """What each host has live."""
        nodes = [self.host(h).files.node(f"/srv/{service}/current", follow=False) for h in HOSTS]
        return [posixpath.basename(node.target) if node else "" for node in nodes]

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def restart(self, **options: Any) -> Ending:
        return await self._roll(Verb.RESTART, "", options)

    async def deploy(self, release: str = "v2", **options: Any) -> Ending:
        return await self._roll(Verb.DEPLOY, release, options)

    async def _roll(self, verb: Verb, release: str, options: dict[str, Any]) -> Ending:
        self.plan = await self.make(release, verb, options)
        return await self._work(self.plan, self._config(releases=bool(release)), release)

    async def make(
        self, release: str, verb: Verb = Verb.DEPLOY, options: dict[str, Any] = NO_OPTIONS
    ) -> Plan:
        """The plan alone."""
        config = self._config(releases=bool(release))
        targets = {
            name: Target(
                SimRelease(f"/srv/{name}", release).resolve(), brought_digest(name, service)
            )
            for name, service in config.services.items()
            if release
        }
        return make_plan(
            Loaded(config, Path("gapless.yaml")),
            verb=verb,
            options=PlanOptions(**options),
            targets=targets,
            survey=await self._survey(config, release) if self.looks else None,
        )

    async def take_back(self, release: str) -> Ending:
        """``gapless rollback`` of the last rollout, which brought ``release``."""
        last = self.journal.rollouts(1)[0].id
        _, plan = self.journal.load(last)
        targets = switched(plan, self.journal.steps(last), [*self.others, "api"])
        back = rollback_plan(plan, targets, now=self.world.clock.now(), parent=last)
        return await self._work(back, self._config(releases=True), release)

    async def _work(self, plan: Plan, config: ProjectConfig, release: str) -> Ending:
        worker = Worker(
            self.journal,
            self.world.clock,
            lambda plan: SimAssembly(self.world, config, release),
            observer=self.events.append,
        )
        rollout = worker.open(plan, actor="ada", reason="seed")
        return await worker.work(rollout)

    async def _survey(self, config: ProjectConfig, release: str) -> Survey:
        assembly = SimAssembly(self.world, config, release)

        def drivers(instance: Instance) -> Drivers:
            service = instance.service
            transport = assembly.transport(instance.host)
            return Drivers(transport, assembly.runtime(service), assembly.release(service))

        names = [Instance(name, host) for name in config.services for host in HOSTS]
        found = await survey(names, drivers)
        await assembly.close()
        return found

    def _config(self, *, releases: bool) -> ProjectConfig:
        def service(name: str, said: dict[str, Any]) -> dict[str, Any]:
            health = {"http": f"http://{{address}}:{PORTS[name]}/health", **TIMING}
            data = {"on": HOSTS, "systemd": name, "health": health, "soak": "30s", **said}
            if releases:
                data["release"] = {"directory": "/v2", "to": f"/srv/{name}"}
            return {key: value for key, value in data.items() if value is not None}

        services = {name: service(name, said) for name, said in self.others.items()}
        services["api"] = service("api", self.service)
        return ProjectConfig.model_validate(
            {
                "project": "seed",
                "hosts": {host: {} for host in HOSTS},
                "services": services,
                "balancers": {
                    name: {"haproxy": {"socket": "/x", "backend": "x"}} for name in self.balancers
                },
            }
        )
