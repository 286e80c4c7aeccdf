"""A fleet over SSH: one machine that is 1,000 hosts, and gapless beside who does it otherwise.

1. ``true`` on 50, 200 and 1,000 hosts: a bare asyncssh script against gapless' transport with its
   guard; how time and memory grow with the hosts.
2. A rolling restart (stop, start, HTTP wait; the service boots in 0.3 s): the same script doing
   it naively against a rollout through the API, with its SQLite journal and all gates; 10 hosts
   one by one, and 50 in batches of 25 %.

Every side is a process of its own, imports included. Sides take turns (A B A B) and the bound is
on the median of the ratios of neighbours, so that other work on the machine meets both. Client,
"hosts" and services share the same processors: remote CPU, which a real fleet has elsewhere, is
shown apart. Where it is allowed, all of it runs at a raised priority: both sides the same.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.loopback import peers
from bench.loopback.fleet import Fleet, missing
from bench.loopback.timeline import show_timeline
from bench.results import Bound, Run, run, table

SHORT_TOLERANCE = 1.25
"""--short has few pairs, and other tests may have the processors."""


@dataclass(frozen=True)
class Task:
    """What is done to how many hosts at a time, and how much longer than the script we may take."""

    name: str
    kind: str
    hosts: int
    batch: int
    limit: float
    pairs: int
    short_pairs: int
    """0: not in a short run."""
    megabytes: float | None = None
    """What the largest process may take; None: no bound of its own."""


TASKS = (
    Task("true on 50 hosts", "true", 50, 0, 1.3, 3, 0),
    Task("true on 200 hosts", "true", 200, 0, 1.2, 3, 2, megabytes=90.0),
    Task("true on 1,000 hosts", "true", 1000, 0, 1.3, 2, 0),
    Task("restart of 10 hosts one by one", "rolling", 10, 1, 0.9, 3, 1),
    Task("restart of 50 hosts, 25 % at a time", "rolling", 50, 13, 1.1, 3, 1),
)


@dataclass
class Side:
    """The runs of one contestant and what the hosts spent on each."""

    runs: list[Run] = field(default_factory=list)
    remote: list[float] = field(default_factory=list)

    def row(self, name: str, other: Side) -> list[str]:
        """As a line of a table; ``other`` is what the ratio is to."""
        ratio = f"{median(ratios(self, other)):.2f} x"
        wall = [r.wall for r in self.runs]
        return [
            name, ratio, f"{median(wall):.1f} s", f"{min(wall):.1f} s",
            f"{median(r.cpu for r in self.runs):.2f} s", f"{median(self.remote):.1f} s",
            f"{max(r.megabytes for r in self.runs):.0f} MB",
        ]  # fmt: skip


HEADS = ("", "wall to bare", "median", "best", "client CPU", "remote CPU", "RSS, largest process")


def ratios(one: Side, other: Side) -> list[float]:
    """Walls of neighbouring runs."""
    pairs = zip(one.runs, other.runs, strict=False)
    return [ours.wall / theirs.wall for ours, theirs in pairs]


def main(short: bool) -> list[Bound]:
    """All tasks on one fleet."""
    if reason := missing():
        return [Bound(task.name, 0, task.limit, "x", skipped=reason) for task in TASKS]
    bounds = []
    with _raised(), tempfile.TemporaryDirectory(prefix="gapless-bench-") as name:
        folder = Path(name)
        tasks = [task for task in TASKS if task.short_pairs or not short]
        with Fleet(folder, max(task.hosts for task in tasks)) as fleet:
            for task in tasks:
                if task.kind == "rolling":
                    fleet.start_services(task.hosts)
                bounds += _compete(fleet, task, short)
    return bounds


@contextlib.contextmanager
def _raised() -> Iterator[None]:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(before, -10))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def _compete(fleet: Fleet, task: Task, short: bool) -> list[Bound]:
    bare, ours = Side(), Side()
    for _ in range(task.short_pairs if short else task.pairs):
        _turn(fleet, task, bare, _bare)
        _turn(fleet, task, ours, _ours)
    others = {} if short else _peers(fleet, task)
    sides = {"bare asyncssh": bare, "gapless": ours, **others}
    table(task.name, HEADS, [side.row(name, bare) for name, side in sides.items()])
    if task.kind == "rolling":
        best = min(ours.runs, key=lambda r: r.wall)
        show_timeline(best.data, task.hosts)
    limit = task.limit * (SHORT_TOLERANCE if short else 1)
    bounds = [Bound(f"{task.name}, to bare", median(ratios(ours, bare)), limit, "x")]
    if task.megabytes is not None:
        most = max(r.megabytes for r in ours.runs)
        bounds.append(Bound(f"{task.name}, RSS", most, task.megabytes, "MB"))
    for name, peer in others.items():
        took = median(r.wall for r in ours.runs) / median(r.wall for r in peer.runs)
        bounds.append(Bound(f"{task.name}, to {name}", took, 1.0, "x"))
    return bounds


def _turn(fleet: Fleet, task: Task, side: Side, act: Callable[[Fleet, Task], Run]) -> None:
    """One run; every service must have been replaced by it."""
    before, spent = fleet.running(), fleet.cpu()
    side.runs.append(act(fleet, task))
    side.remote.append(fleet.cpu() - spent)
    if task.kind == "rolling":
        after = fleet.running()
        same = [host for host in fleet.addresses[: task.hosts] if before[host] == after[host]]
        assert not same, f"not restarted: {same}"


def _words(fleet: Fleet, task: Task) -> Sequence[str]:
    return (str(fleet.description), task.kind, str(task.hosts), str(task.batch))


def _bare(fleet: Fleet, task: Task) -> Run:
    return run((sys.executable, "-m", "bench.loopback.bare", *_words(fleet, task)))


def _ours(fleet: Fleet, task: Task) -> Run:
    state = tempfile.mkdtemp(dir=fleet.folder)  # durable writes go to a disk, not to memory
    argv = (sys.executable, "-m", "bench.loopback.ours", *_words(fleet, task))
    return run(argv, env={"GAPLESS_STATE": state})


def _peers(fleet: Fleet, task: Task) -> dict[str, Side]:
    if reason := peers.install():
        print(f"  ansible-core and pyinfra left out: {reason}")
        return {}
    found: dict[str, Side] = {}
    env = peers.environment(fleet.description)
    for name in peers.commands(fleet.description, task.kind, task.hosts, task.batch):
        side = Side()

        def act(fleet: Fleet, task: Task, name: str = name) -> Run:
            argv = peers.commands(fleet.description, task.kind, task.hosts, task.batch)[name]
            done = run(argv, env=env)
            time.sleep(peers.SHARED + 1)
            return done

        try:
            _turn(fleet, task, side, act)
        except (RuntimeError, AssertionError) as error:
            print(f"  {name} left out: {str(error)[-400:]}")
        else:
            found[name] = side
    return found
