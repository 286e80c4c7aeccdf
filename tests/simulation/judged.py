"""Whole rollouts whose errors are judged, on the fakes and without a command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
) -> Judged:
    """Restart a service of which nothing changes, judged by one source for each of ``usual``."""
    names = [f"h{number}" for number in range(1, hosts + 1)]
    world = World(seed)
    for name in names:
        world.host(name).add_unit("s.service", service="s", port=8000).run_already()
    config = ProjectConfig.model_validate(
        {
            "project": "sim",
            "hosts": {name: {} for name in names},
            "services": {
                "s": {
                    "on": names,
                    "systemd": "s.service",
                    "soak": "30s",
                    "verify": {"logs": {}},
                    "rollout": {"canary": canary, "batch": batch, "max_unavailable": batch},
                }
            },
        }
    )
    rates = tuple(
        FakeRates(world.clock, seed=seed * 10 + number, usual=errs, name=f"rate {number}")
        for number, errs in enumerate(usual)
    )
    plan = make_plan(
        Loaded(config, Path("gapless.yaml")), verb=Verb.RESTART, options=PlanOptions(), targets={}
    )
    journal = SqliteJournal(None)
    assembly = JudgedAssembly(world, config, rates, judge or JudgeConfig())
    worker = Worker(journal, world.clock, lambda _: assembly, salt=lambda: "0000")

    async def work() -> Judged:
        rollout = worker.open(plan, actor="sim")
        ending = await worker.work(rollout)
        return Judged(ending, list(journal.events(rollout)))

    return run_virtual(work())
