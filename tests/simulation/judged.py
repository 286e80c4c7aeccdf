"""Whole rollouts whose errors are judged, on the fakes and without a command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapless.config.judging import JudgeConfig
from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded
from gapless.drivers.checks.rates import RateSource
from gapless.engine.outcome import Ending
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.planning.make import make_plan
from gapless.planning.options import PlanOptions
from gapless.plans import Verb
from gapless.testing.fake_rates import Errs, FakeRates
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly
from tests.simulation.killing import MortalJournal, was_kill


class JudgedAssembly(SimAssembly):
    """The drivers of a simulated controller, with scripted sources."""

    def __init__(
        self, world: World, config: ProjectConfig, rates: tuple[FakeRates, ...], judge: JudgeConfig
    ) -> None:
        super().__init__(world, config, "")
        self._rates, self._judge = rates, judge

    def rates(self, service: str) -> tuple[tuple[JudgeConfig, RateSource], ...]:
        return tuple((self._judge, rates) for rates in self._rates)


@dataclass(frozen=True)
class Judged:
    """What a rollout came to."""

    ending: Ending
    events: list[Event]

    def verdicts(self, kind: str) -> list[str]:
        """Evidence of the checks that ended so."""
        verdicts = (e.data["verdict"] for e in self.events if e.type == kind)
        return [f"{verdict['asked']} → {verdict['answer']}" for verdict in verdicts]


def restart(
    seed: int,
    *usual: Errs,
    hosts: int = 4,
    batch: int = 1,
    canary: int = 1,
    judge: JudgeConfig | None = None,
    after: Errs | None = None,
    silent: bool = False,
    history: bool = True,
    dies_at: int | None = None,
) -> Judged:
    """Restart a service, judged by one source for each of ``usual``. ``after`` is how a host errs
    once it was restarted (default: as before). The first controller ``dies_at`` this write of the
    journal, before it is committed, and another goes on."""
    names = [f"h{number}" for number in range(1, hosts + 1)]
    world = World(seed)
    for name in names:
        world.host(name).add_unit("s.service", service="s", port=8000).run_already()
    rates = tuple(
        FakeRates(
            world.clock, seed=seed * 10 + number, usual=errs, name=f"rate {number}", history=history
        )
        for number, errs in enumerate(usual)
    )
    for source in rates:
        source.silent.update(names if silent else ())
    if after is not None:
        _err_after(world, rates, after)
    config = _config(names, canary, batch)
    plan = make_plan(
        Loaded(config, Path("gapless.yaml")), verb=Verb.RESTART, options=PlanOptions(), targets={}
    )
    journal = SqliteJournal(None)

    def worker(written: Any) -> Worker:
        assembly = JudgedAssembly(world, config, rates, judge or JudgeConfig())
        return Worker(written, world.clock, lambda _: assembly, salt=lambda: "0000")

    async def work() -> Judged:
        rollout = worker(journal).open(plan, actor="sim")
        mortal = MortalJournal(journal, dies_at=dies_at, after_commit=False)
        try:
            ending = await worker(mortal).work(rollout)
        except BaseException as error:
            if not was_kill(error):
                raise
            world.kill_controller()
            ending = await worker(journal).work(rollout)
        events: list[Event] = []
        while more := journal.events(rollout, after=events[-1].seq if events else 0):
            events += more
        return Judged(ending, events)

    return run_virtual(work())


def _err_after(world: World, rates: tuple[FakeRates, ...], errs: Errs) -> None:
    began = {unit.host.name: unit.invocation for unit in world.units("s")}

    def follow(world: World) -> None:
        for unit in world.units("s"):
            if began.get(unit.host.name) not in (None, unit.invocation):
                del began[unit.host.name]
                for source in rates:
                    source.set(errs, unit.host.name)

    world.on_change(follow)


def _config(names: list[str], canary: int, batch: int) -> ProjectConfig:
    service = {
        "on": names,
        "systemd": "s.service",
        "soak": "30s",
        "verify": {"logs": {}},
        "rollout": {"canary": canary, "batch": batch, "max_unavailable": batch},
    }
    hosts: dict[str, dict[str, str]] = {name: {} for name in names}
    return ProjectConfig.model_validate(
        {"project": "sim", "hosts": hosts, "services": {"s": service}}
    )
