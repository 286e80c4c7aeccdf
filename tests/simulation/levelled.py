"""Whole rollouts that wait for a number to be back, on the fakes and without a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded
from gapless.config.verify_levels import LevelConfig
from gapless.drivers.checks.levels import Level, LevelSource
from gapless.engine.outcome import Ending
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.errors import SourceUnavailable
from gapless.events.event import Event
from gapless.planning.make import make_plan
from gapless.planning.options import PlanOptions
from gapless.plans import Verb
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly

HOSTS = ("h1", "h2", "h3")
HISTORY = (0.02, 0.02, 0.03, 0.02, 0.5)


@dataclass
class Gauge:
    """``curve``: how high it is so many seconds after the last restart; None is no data.
    ``scraped``: how often it is measured. It does not answer while it is ``silent``."""

    world: World
    curve: Callable[[float], float | None]
    history: Sequence[float] = HISTORY
    scraped: float = 0.0
    silent: bool = False
    asked_before: list[tuple[float, float]] = field(default_factory=list)

    async def now(self, host: str, at: float) -> Level | None:
        self._answer()
        measured = at - at % self.scraped if self.scraped else at
        entered = [self.world.wall(unit.entered) for unit in self.world.units("s")]
        value = self.curve(measured - max(entered))
        return None if value is None else Level(value, measured)

    async def before(self, host: str, since: float, until: float) -> Sequence[float]:
        self._answer()
        self.asked_before.append((since, until))
        return self.history

    def _answer(self) -> None:
        if self.silent:
            raise SourceUnavailable("Prometheus does not answer")


class LevelledAssembly(SimAssembly):
    """With one gauge for every level."""

    def __init__(self, world: World, config: ProjectConfig, gauge: Gauge) -> None:
        super().__init__(world, config, "")
        self._gauge = gauge

    def levels(self, service: str) -> tuple[tuple[LevelConfig, LevelSource], ...]:
        entries = (entry.level for entry in self.service(service).verify)
        return tuple((level, self._gauge) for level in entries if level is not None)


@dataclass(frozen=True)
class Levelled:
    """What a rollout came to."""

    endings: list[Ending]
    events: list[Event]
    world: World
    gauge: Gauge
    started: float

    @property
    def code(self) -> int:
        return self.endings[-1].exit_code

    @property
    def restarted(self) -> list[str]:
        return [deed.host for deed in self.world.deeds("restart")]

    def told(self, kind: str) -> list[str]:
        """Answers of the checks that ended so."""
        return [e.data["verdict"]["answer"] for e in self.events if e.type == kind]

    def waited(self, host: str) -> float:
        """Seconds in its verify."""
        at = {e.type: e.ts for e in self.events if e.host == host and e.step == "verify"}
        return at["step.succeeded"] - at["step.started"]


def restart(
    curve: Callable[[float], float | None],
    *,
    resumed: int = 0,
    force: str = "",
    gauge: dict[str, Any] | None = None,
    **level: Any,
) -> Levelled:
    """Restart a service of three, one after the other, looked at by these keys. ``resumed``: so
    many times a person lets it go on."""
    world = World(1)
    for name in HOSTS:
        world.host(name).add_unit("s.service", service="s", port=8000).run_already()
    config = _config({"url": "http://prometheus", "query": "p99", **level})
    made = Gauge(world, curve, **(gauge or {}))
    options = PlanOptions(force=force)
    loaded = Loaded(config, Path("gapless.yaml"))
    plan = make_plan(loaded, verb=Verb.RESTART, options=options, targets={})
    journal = SqliteJournal(None)

    def worker() -> Worker:
        assembly = LevelledAssembly(world, config, made)
        return Worker(journal, world.clock, lambda _: assembly, salt=lambda: "0000")

    async def work() -> Levelled:
        rollout = worker().open(plan, actor="sim")
        endings = [await worker().work(rollout)]
        endings += [await worker().work(rollout) for _ in range(resumed)]
        events: list[Event] = []
        while more := journal.events(rollout, after=events[-1].seq if events else 0):
            events += more
        return Levelled(endings, events, world, made, journal.load(rollout)[0].started)

    return run_virtual(work())


def _config(level: dict[str, Any]) -> ProjectConfig:
    service = {
        "on": list(HOSTS),
        "systemd": "s.service",
        "soak": "5s",
        "verify": {"level": level},
        "rollout": {"canary": 0, "batch": 1, "max_unavailable": 1},
    }
    hosts: dict[str, dict[str, str]] = {name: {} for name in HOSTS}
    return ProjectConfig.model_validate(
        {"project": "sim", "hosts": hosts, "services": {"s": service}}
    )
