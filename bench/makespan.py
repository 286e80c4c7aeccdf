"""Makespan of a platform of 19 services against its critical path.

The real engine restarts the platform in simulated hosts under virtual time (20 ms round trips).
What one service takes is measured, too: it alone is restarted, from ``service.started`` to
``service.succeeded``. The critical path is the longest chain of those times; it has the engine's
time within a service in it, but not claiming, examining and closing of the rollout. Those count
against the makespan. Not --short: the same, a tenth as long, on three real systemd hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.platform19 import AFTER, Platform, critical_path, draw, hosts_of, port_of
from bench.results import Bound, table
from gapless.config.source import Loaded
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.planning.make import make_plan
from gapless.plans import Plan, Verb
from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly

LIMIT = 1.05
SEED = 19
ROUND_TRIP = 0.02


@dataclass(frozen=True)
class Course:
    """One simulated rollout."""

    seconds: float
    events: tuple[Event, ...]

    def of(self, service: str) -> float:
        """Seconds from the beginning of a service to its end."""
        times = {e.type: e.ts for e in self.events if e.service == service}
        return times["service.succeeded"] - times["service.started"]


def simulate(platform: Platform, services: Sequence[str] = ()) -> Course:
    """Restart the platform, or some of it."""
    config = platform.config
    plan = make_plan(Loaded(config, Path("gapless.yaml")), verb=Verb.RESTART, services=services)
    return run_virtual(_roll(platform, plan))


async def _roll(platform: Platform, plan: Plan) -> Course:
    world = World(SEED, latency=ROUND_TRIP / 2)
    for name in AFTER:
        for host in hosts_of(name):
            unit = world.host(host).add_unit(
                f"{name}.service", service=name, port=port_of(name),
                behaviour=Behaviour(start=platform.starts[name]),
            )  # fmt: skip
            unit.run_already()
    events: list[Event] = []
    worker = Worker(
        SqliteJournal(None), world.clock, lambda _: SimAssembly(world, platform.config, ""),
        observer=events.append,
    )  # fmt: skip
    started = world.clock.monotonic()
    ending = await worker.work(worker.open(plan, actor="bench"))
    assert ending.exit_code == 0, ending
    return Course(world.clock.monotonic() - started, tuple(events))


@dataclass(frozen=True)
class Compared:
    """The figures of one platform, in seconds."""

    makespan: float
    critical: float
    sequential: float
    chain: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Makespan to critical path."""
        return self.makespan / self.critical

    def row(self, name: str) -> list[str]:
        """As a line of a table."""
        seconds = [f"{s:.1f} s" for s in (self.critical, self.makespan, self.sequential)]
        return [name, *seconds, f"{self.ratio:.3f} x", f"{self.sequential / self.critical:.1f} x"]


def compare(seed: int) -> Compared:
    """Everything at once, and each service alone."""
    platform = draw(seed)
    alone = {name: simulate(platform, [name]).of(name) for name in AFTER}
    critical, chain = critical_path(alone)
    return Compared(simulate(platform).seconds, critical, sum(alone.values()), chain)


HEADS = ("start times", "critical path", "gapless", "sequential", "to critical", "sequential to it")


def main(short: bool) -> list[Bound]:
    """The platform of one seed, and the worst of some more."""
    one = compare(SEED)
    others = [compare(seed) for seed in range(100, 103 if short else 120)]
    worst = max(others, key=lambda compared: compared.ratio)
    rows = [one.row(f"seed {SEED}"), worst.row(f"worst of {len(others)} more")]
    table("restart of 19 services, simulated", HEADS, rows)
    print("  critical path: " + " > ".join(one.chain))
    bounds = [
        Bound("makespan to critical path", one.ratio, LIMIT, "x"),
        Bound(f"worst of {len(others)} more platforms", worst.ratio, LIMIT, "x"),
    ]
    if not short:
        from bench import makespan_lab

        bounds.append(makespan_lab.bound(LIMIT))
    return bounds
