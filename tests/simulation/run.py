"""Run one scenario to its end: kill the controller where the seed says, resume or abort."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded
from gapless.engine.approvals import grant
from gapless.engine.journal import RolloutRecord, RolloutState
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.places import machine_of, named_at, number_of
from gapless.planning.make import make_plan
from gapless.planning.options import PlanOptions, Target
from gapless.plans import Plan, Verb
from gapless.supervisor.spec import SLOTS
from gapless.testing.fake_cluster import FakeMembers
from gapless.testing.fake_handover import FakeCopies
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_traffic import Traffic
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly, SimRelease
from tests.simulation.killing import MortalJournal, was_kill
from tests.simulation.scenario import Scenario, SimService

_FILE = {"template": str(Path(__file__).with_name("release.conf.j2"))}
_CLUSTER = {"etcd": {}, "transfer": "5s", "rejoin": "5s"}
"""Which system it is does not matter: a double answers for it."""
_HANDOVER = {"skew": "1s", "stable": "1s", "deadline": "3s", "ready": "5s"}
MAX_RUNS = 8
"""Controllers one after the other before a rollout counts as one that does not end."""

PORTS = {f"s{number}": 8000 + number for number in range(20)}


@dataclass
class Course:
    """What a scenario came to."""

    scenario: Scenario
    world: World
    plan: Plan
    journal: SqliteJournal
    copies: dict[tuple[str, str], FakeCopies] = field(default_factory=dict)
    """Programs that hand over, by service and place."""
    rollout: str = ""
    outcomes: list[str] = field(default_factory=list)
    mortal: MortalJournal | None = None
    """Of the controller that lives."""

    def kill_controller(self) -> None:
        """At this instant: it writes nothing any more, and says nothing to anybody."""
        if self.mortal is not None:
            self.mortal.dead = True
        self.world.kill_controller()

    @property
    def outcome(self) -> str:
        """The last word: what the journal holds, whoever lived to see it."""
        if not self.rollout:
            return "never opened"
        return self.record.outcome or self.outcomes[-1]

    @cached_property
    def record(self) -> RolloutRecord:
        """Of the rollout. Read once: ask when nothing goes on any more, as with ``events``."""
        return self.journal.load(self.rollout)[0]

    @cached_property
    def events(self) -> Sequence[Event]:
        """Of the rollout and of every one that took it back; none if it was never opened."""
        return self.journal.events(self.rollout)


async def play(scenario: Scenario) -> Course:
    """Build the world, run the rollout, bring controllers back until it has ended."""
    world = World(scenario.seed)
    config = _config(scenario)
    copies = _populate(world, scenario)
    release = "v2" if scenario.deploys else ""
    plan = _plan(config, release, scenario.asked, scenario.only)
    course = Course(scenario, world, plan, SqliteJournal(None), copies)
    if scenario.happens is not None:
        scenario.happens(course)
    world.faults.planned.extend(scenario.faults)
    kills = list(scenario.kills)
    for number in range(MAX_RUNS):
        dies_at, after_commit = kills.pop(0) if kills else (None, False)
        journal = MortalJournal(course.journal, dies_at=dies_at, after_commit=after_commit)
        course.mortal = journal
        worker = _worker(world, journal, config, release, number)
        try:
            course.outcomes.append(await _work(course, worker, plan, number))
        except BaseException as error:
            if not was_kill(error):
                raise
            course.outcomes.append("killed")
        world.kill_controller()
        if course.rollout and course.journal.load(course.rollout)[0].state is RolloutState.ENDED:
            break
    await asyncio.sleep(60)  # whatever is still under way on hosts comes to rest
    return course


async def _work(course: Course, worker: Worker, plan: Plan, number: int) -> str:
    if not course.rollout:
        found = course.journal.rollouts(1)
        course.rollout = found[0].id if found else ""
    if not course.rollout:
        course.rollout = worker.open(plan, actor="sim")
    elif (number and course.scenario.abort) or number > 3:
        course.journal.request(course.rollout, "abort", "sim", course.world.clock.now())
    else:
        now = course.world.clock.now()
        grant(course.journal, course.rollout, actor="sim", reason="why not", now=now)
    if not number and course.scenario.stop:
        _stop_at(worker, course.scenario.stop)
    return (await worker.work(course.rollout)).outcome


def _stop_at(worker: Worker, event: int) -> None:
    """Press Ctrl-C when so many events were shown."""
    shown = itertools.count(1)

    def observe(_: Event) -> None:
        if next(shown) == event:
            worker.interrupts.stop_after_batch()

    worker.observer = observe


def _worker(world: World, journal: Any, config: ProjectConfig, release: str, number: int) -> Worker:
    return Worker(
        journal,
        world.clock,
        lambda plan: SimAssembly(world, config, release),
        controller=f"controller{number}",
        salt=lambda: "0000",
    )


def _config(scenario: Scenario) -> ProjectConfig:
    hosts = sorted({host for service in scenario.services for host in service.hosts})
    return ProjectConfig.model_validate(
        {
            "project": "sim",
            "hosts": {host: {"zone": scenario.zones.get(host)} for host in hosts},
            "services": {s.name: _service(s, scenario) for s in scenario.services},
            "balancers": {
                f"lb-{s.name}": {"haproxy": {"socket": "/x", "backend": s.name}}
                for s in scenario.services
                if s.balanced
            },
        }
    )


def conf(service: str) -> str:
    """Its configuration file, where it has one: it names the release it came with."""
    return f"/etc/{service}/{service}.conf"


def _service(service: SimService, scenario: Scenario) -> dict[str, Any]:
    release = {"directory": "/v2", "to": f"/srv/{service.name}"} if scenario.deploys else None
    return {
        "release": release,
        "config": [_FILE | {"to": conf(service.name)}] if scenario.configures else [],
        "on": list(service.hosts),
        "systemd": {"unit": _named(service, scenario), "replicas": service.replicas},
        "after": list(service.after),
        "soak": "3s",
        "health": {
            "http": f"http://{{address}}:{_port(service, scenario)}/health",
            "timeout": "5s",
            "interval": "500ms",
            "retries": 1,
            "retry_delay": "200ms",
        },
        "balancer": [f"lb-{service.name}"] if service.balanced else [],
        **({"handover": _HANDOVER} if scenario.strategy == "handover" else {}),
        **(
            {"cluster": {**_CLUSTER, **service.cluster}}
            if scenario.strategy == "followers-first"
            else {}
        ),
        "rollout": {
            "canary": service.canary,
            "batch": service.batch,
            "max_unavailable": service.max_unavailable,
            "max_failed": service.max_failed,
            "on_failure": service.on_failure,
            **service.order,
            **({"strategy": scenario.strategy} if scenario.strategy else {}),
        },
    }


def _populate(world: World, scenario: Scenario) -> dict[tuple[str, str], FakeCopies]:
    copies: dict[tuple[str, str], FakeCopies] = {}
    for service in scenario.services:
        for host in service.places:
            fake = world.host(machine_of(host))
            if scenario.deploys:
                fake.files.mkdir(f"/srv/{service.name}/releases/v1")
                fake.files.link("releases/v1", f"/srv/{service.name}/current")
            if scenario.configures:
                fake.files.write(conf(service.name), f"release = v1 on {host}\n")
            units = [_unit(fake, service, scenario, slot, host) for slot in _slots(scenario)]
            units[0].run_already()
            if scenario.strategy == "handover":
                folder = f"/var/lib/gapless-handover/{named_at(f'sim.{service.name}', host)}"
                copies[service.name, host] = FakeCopies(fake, service.name, folder)
                copies[service.name, host].adopt(units[0])
            bad = service.bad.get(host)
            for unit in units if bad else ():
                if scenario.deploys:
                    unit.behaviours["v2"] = bad
                elif unit is units[-1]:
                    unit.next_starts = [bad]
        world.hold_floor(service.name, _floor(service, scenario))
        if scenario.strategy == "followers-first":
            world.clusters[service.name] = FakeMembers(world, service.name)
        if service.balanced:
            _balance(world, service, scenario)
    return copies


def _balance(world: World, service: SimService, scenario: Scenario) -> None:
    traffic = Traffic(
        world,
        f"lb-{service.name}",
        (service.name,),
        weight=scenario.weight,
        dynamic=scenario.dynamic,
    )
    for unit in world.units(service.name):
        if scenario.dynamic and unit.running:
            traffic.slot(unit.instance)


def _slots(scenario: Scenario) -> tuple[str, ...]:
    return SLOTS if scenario.beside else ("",)


def _named(service: SimService, scenario: Scenario) -> str:
    """Its unit."""
    of_many = "{number}" if service.replicas > 1 else ""
    instance = f"{of_many}{{slot}}" if scenario.beside else of_many
    return f"{service.name}@{instance}.service" if instance else f"{service.name}.service"


def _port(service: SimService, scenario: Scenario) -> str:
    port = PORTS[service.name]
    of_many = "{number}" if service.replicas > 1 else ""
    return of_many + (f"{{slot:{port}|{port + 1000}}}" if scenario.beside else str(port))


def _unit(
    host: FakeHost, service: SimService, scenario: Scenario, slot: str, place: str
) -> FakeUnit:
    name = _named(service, scenario).replace("{slot}", slot)
    first = 10000 * number_of(place) if service.replicas > 1 else 0
    return host.add_unit(
        name.replace("{number}", str(number_of(place))),
        service=service.name,
        slot=slot,
        place=place,
        port=first + PORTS[service.name] + (1000 if slot == SLOTS[-1] else 0),
        release_link=f"/srv/{service.name}/current" if scenario.deploys else "",
        enabled=slot != SLOTS[-1],
    )


def _floor(service: SimService, scenario: Scenario) -> int:
    """What the plan promises; one that never served by itself is counted against it."""
    if scenario.beside:  # only a new copy that goes bad in traffic costs anything
        return len(service.places) - len(service.bad)
    if len(service.places) == 1:
        return 0
    return len(service.places) - service.max_unavailable


def _plan(config: ProjectConfig, release: str, asked: Sequence[str] = (), only: str = "") -> Plan:
    targets = {
        name: Target(SimRelease(f"/srv/{name}", release).resolve())
        for name in config.services
        if release
    }
    return make_plan(
        Loaded(config, Path("gapless.yaml")),
        verb=Verb.DEPLOY if release else Verb.RESTART,
        services=asked,
        hosts=only or None,
        options=PlanOptions(),
        targets=targets,
    )
