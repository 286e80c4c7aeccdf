"""What the engine costs per journaled step, and what it costs to resume.

1. A rollout over simulated hosts under virtual time, whose drivers take no real time: once with
   its journal in a real SQLite file (WAL, synchronous=FULL), once in memory. The wall time, by
   steps, is the engine's own; the difference is the disk's.
2. The same rollout with its controller killed at the last write: opening the file and working the
   rest in a new controller is the cost of ``resume`` with N steps in the journal.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.results import Bound, table
from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.planning.make import make_plan
from gapless.plans import Plan, Verb
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly
from tests.simulation.killing import ControllerKilled, MortalJournal

GROWTH = 2.0
"""How much more a step may cost in the largest rollout than in the smallest."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall of one rollout, its steps, and the seconds of ``resume`` after it."""

    seconds: float
    steps: int
    events: int
    writes: int
    resume: float = 0.0

    @property
    def each(self) -> float:
        """Milliseconds per step (each is two transactions: intent and outcome)."""
        return self.seconds / self.steps * 1000


def plan_for(hosts: int) -> tuple[ProjectConfig, Plan]:
    """One service on so many hosts, a tenth at a time."""
    names = [f"h{number}" for number in range(1, hosts + 1)]
    config = ProjectConfig.model_validate(
        {
            "project": "bench",
            "hosts": {name: {} for name in names},
            "services": {
                "web": {
                    "on": names,
                    "systemd": "web.service",
                    "soak": "1s",
                    "health": {"http": "http://{address}:8000/health"},
                    "rollout": {"batch": "10%", "max_unavailable": "10%"},
                }
            },
        }
    )
    return config, make_plan(Loaded(config, Path("gapless.yaml")), verb=Verb.RESTART)


async def _roll(
    config: ProjectConfig, plan: Plan, folder: Path | None, dies_at: int | None
) -> Cost:
    world = World()
    for name in config.hosts:
        world.host(name).add_unit("web.service", service="web", port=8000).run_already()

    def worker(journal: Any) -> Worker:
        return Worker(journal, world.clock, lambda _: SimAssembly(world, config, ""))

    journal = SqliteJournal(folder)
    mortal = MortalJournal(journal, dies_at=dies_at, after_commit=True)
    first = worker(mortal)
    rollout = first.open(plan, actor="bench")
    started = time.perf_counter()
    try:
        await first.work(rollout)
    except ControllerKilled:
        world.kill_controller()
    except BaseExceptionGroup as group:
        if not group.subgroup(ControllerKilled):
            raise
        world.kill_controller()
    seconds = time.perf_counter() - started
    steps, events = len(journal.steps(rollout)), len(journal.events(rollout, limit=10**9))
    if dies_at is None:
        return Cost(seconds, steps, events, mortal.writes)
    journal.close()
    started = time.perf_counter()
    ending = await worker(SqliteJournal(folder)).work(rollout)
    assert ending.exit_code == 0, ending
    return Cost(seconds, steps, events, mortal.writes, time.perf_counter() - started)


def cost(hosts: int, *, disk: bool, dies_at: int | None = None) -> Cost:
    """One rollout."""
    config, plan = plan_for(hosts)
    if not disk:
        return run_virtual(_roll(config, plan, None, dies_at))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        return run_virtual(_roll(config, plan, Path(folder), dies_at))


def fsync_ms() -> float:
    """What the disk takes to make one page durable: most of a transaction."""
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:
        taken = []
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return sorted(taken)[25] * 1000


def main(short: bool) -> list[Bound]:
    """Rollouts of growing size; in memory and on the disk in turn."""
    sizes = (10, 50) if short else (10, 100, 500)
    rows, costs = [], []
    for hosts in sizes:
        pairs = [(cost(hosts, disk=False), cost(hosts, disk=True)) for _ in range(2)]
        memory = min((pair[0] for pair in pairs), key=lambda c: c.seconds)
        disk = min((pair[1] for pair in pairs), key=lambda c: c.seconds)
        again = cost(hosts, disk=True, dies_at=disk.writes - 5)
        costs.append(memory)
        rows.append(
            (f"{hosts}", disk.steps, disk.events, f"{memory.each:.2f} ms", f"{disk.each:.2f} ms",
             f"{disk.each / memory.each:.1f} x", f"{again.resume * 1000:.0f} ms",
             f"{again.resume / again.steps * 1e6:.0f} µs")
        )  # fmt: skip
    heads = ("hosts", "steps", "events", "a step in memory", "on disk", "to memory", "resume",
             "by step")  # fmt: skip
    table("the engine's own time (drivers take none)", heads, rows)
    print(f"  one fdatasync of 4 KiB here: {fsync_ms():.2f} ms")
    growth = costs[-1].each / costs[0].each
    name = f"engine, a step with {sizes[-1]} hosts to one with {sizes[0]}"
    return [Bound(name, growth, GROWTH * (1.5 if short else 1), "x")]
