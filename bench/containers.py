"""A container of a compose project replaced under load, beside who does it otherwise.

1. Rollouts by gapless, one after another behind each balancer, with clients that connect for each
   request and clients that keep their connections. The program starts in a second, takes a second
   for each twentieth request and exits at once on SIGTERM; there is no hook, and nobody retries.
2. Of each: requests lost; the wall time of the rollout, from its first record in the journal to
   its last, and that of the whole command with its imports and its plan, against what the program
   itself takes, from the moment the engine started it until it listens, and its longest request;
   from the new program's listening to its first request.
3. Aborts of a rollout whose new copy has all traffic: from the request in the journal to the last
   client's request that was due later and yet answered by the new copy.
4. The same project by ``docker compose up -d`` and, where ``DOCKER_ROLLOUT=`` names its script, by
   docker-rollout, both behind Traefik with its docker provider.

All of it, the clients and the engine too, shares the same processors.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.results import Bound, table
from bench.rolling import peers
from bench.rolling.fronts import FRONTS, Front
from bench.rolling.shops import await_answer, labelled, shop, times
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from tests.containers.engine import Engine, missing
from tests.containers.shop import Shop
from tests.lab.load import Load, Report

RATE = 60.0
"""Requests a second of each kind of client."""
REQUESTS = 1000
"""For each rollout, at least."""
BEFORE = 1.0
LONGEST = 1.0
"""Seconds of the longest request."""

OWN, FIRST, BACK = 1.5, 300.0, 1.0
SHORT_TOLERANCE = 2.0
"""--short has few rollouts, and other tests may have the processors."""


@dataclass
class Series:
    """Rollouts of one contestant; seconds."""

    walls: list[float] = field(default_factory=list)
    rollouts: list[float] = field(default_factory=list)
    """Without the command around them; those of others have no such part."""
    starts: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=lambda: {"new": 0, "kept": 0})
    lost: dict[str, list[int]] = field(default_factory=lambda: {"new": [], "kept": []})

    @property
    def all_lost(self) -> int:
        return sum(sum(lost) for lost in self.lost.values())

    @property
    def own(self) -> list[float]:
        """What each took besides the program's start and its longest request."""
        return [wall - start - LONGEST for wall, start in zip(self.walls, self.starts, strict=True)]

    @property
    def own_rollouts(self) -> list[float]:
        """The same of the rollouts alone."""
        taken = zip(self.rollouts, self.starts, strict=True)
        return [rollout - start - LONGEST for rollout, start in taken]

    @property
    def row(self) -> list[str]:
        """As a line of a table."""
        lost = [_range(self.lost[kind]) for kind in ("new", "kept")]
        first = f"{median(self.firsts) * 1000:.0f} ms" if self.firsts else "-"
        rollout = f"{median(self.own_rollouts):.2f} s" if self.rollouts else "-"
        return [
            str(len(self.walls)), str(sum(self.sent.values())), *lost,
            f"{median(self.walls):.1f} s", f"{max(self.walls):.1f} s",
            f"{median(self.own):.2f} s", rollout, first,
        ]  # fmt: skip


@dataclass(frozen=True)
class Back:
    """An abort: seconds until clients were where they had been, and requests lost."""

    late: float
    lost: int


HEADS = (
    "", "rollouts", "requests", "lost each, new", "kept", "command", "most", "besides the program",
    "rollout besides it", "ready to first",
)  # fmt: skip


def main(short: bool) -> list[Bound]:
    """All balancers, then the others."""
    if reason := missing():
        return [Bound("containers", 0, 0, skipped=reason)]
    # as an installed one: with the byte code of its modules
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    engine = Engine()
    series: dict[str, Series] = {}
    bounds: list[Bound] = []
    try:
        engine.start()
        for front in FRONTS:
            if reason := front.missing():
                bounds.append(Bound(f"{front.name}: lost", 0, 0, skipped=reason))
                continue
            series[f"gapless, {front.name}"] = rolled = Series()
            backs = _gapless(engine, front, rolled, short)
            bounds += _bounds(front.name, rolled, backs, short)
        for name, act in peers.peers().items():
            if peers.traefik():
                series[name] = _peer(engine, act, 1 if short else 4)
    finally:
        engine.close()
    table("a container replaced under load", HEADS, [(n, *s.row) for n, s in series.items()])
    if not peers.SCRIPT:
        print("  docker-rollout left out: DOCKER_ROLLOUT= names no script")
    return bounds


def _bounds(name: str, rolled: Series, backs: Sequence[Back], short: bool) -> Iterator[Bound]:
    more = SHORT_TOLERANCE if short else 1.0
    yield Bound(f"{name}: requests lost of {sum(rolled.sent.values())}", rolled.all_lost, 0)
    yield Bound(
        f"{name}: rollout besides the program, median", median(rolled.own_rollouts), OWN * more, "s"
    )
    yield Bound(
        f"{name}: ready to first request, median", median(rolled.firsts) * 1000, FIRST * more, "ms"
    )
    if backs:
        yield Bound(
            f"{name}: abort to all on the old copy, most",
            max(back.late for back in backs),
            BACK * more,
            "s",
        )
        yield Bound(f"{name}: requests lost in aborts", sum(back.lost for back in backs), 0)


def _gapless(engine: Engine, front: Front, series: Series, short: bool) -> list[Back]:
    """Rollouts, then aborts."""
    with shop(engine, front.name) as made, front.before(made) as url:
        made.run("deploy", "--yes", "--reason", "first")
        await_answer(f"{url}/work", "1")
        for number in range(2 if short else 20):
            _roll(made, url, series, str(number + 2), _deploy, 1 if short else REQUESTS)
            series.rollouts.append(_took(made))
        if not front.aborts:
            return []
        return [_abort(made, url, f"back{n}") for n in range(1 if short else 3)]


def _deploy(made: Shop) -> None:
    made.run("deploy", "--yes", "--reason", "bench")


def _peer(engine: Engine, act: Callable[[Shop], None], rollouts: int) -> Series:
    series = Series()
    with shop(engine, "peer") as made:
        made.service = labelled(made.service)
        made.write()
        if peers.SCRIPT:
            peers.install(made)
        with peers.LabelledTraefik(made) as front:
            made.up()
            await_answer(f"{front.url}/work", "1")
            for number in range(rollouts):
                _roll(made, front.url, series, str(number + 2), act, REQUESTS)
    return series


def _roll(
    made: Shop, url: str, series: Series, version: str, act: Callable[[Shop], None], requests: int
) -> None:
    """One rollout in the middle of at least so many requests."""
    with _loaded(url) as (new, kept):
        began = time.monotonic()
        time.sleep(BEFORE)
        made.write(VERSION=version)
        started = time.monotonic()
        act(made)
        series.walls.append(time.monotonic() - started)
        await_answer(f"{url}/work", version)
        time.sleep(max(0.5, began + requests / RATE / 2 - time.monotonic()))
    for kind, load in (("new", new), ("kept", kept)):
        series.sent[kind] += load.report.sent
        series.lost[kind].append(load.report.failed)
    told = times(made)
    series.starts.append(told["ready"] - told["started"])
    series.firsts.append(told["first"] - told["ready"])


def _abort(made: Shop, url: str, version: str) -> Back:
    """A rollout whose new copy has had all traffic for a moment goes back."""
    made.settings["soak"] = "60s"
    made.write(VERSION=version)
    controller = made.start("deploy", "--yes", "--reason", "bench")
    try:
        with _loaded(url) as loads:
            made.wait_for("step.started", "soak")
            time.sleep(BEFORE)
            made.run("abort", check=None)
            controller.wait(60)
            decided = time.monotonic() - (time.time() - _asked(made))
    finally:
        controller.kill()
        controller.wait()
    late = [_last_of(load.report, version) - decided for load in loads]
    return Back(max(late), sum(load.report.failed for load in loads))


def _asked(made: Shop) -> float:
    """When the last abort was asked for, on the wall clock."""
    return next(event.ts for event in _records(made) if event.type == "abort.requested")


def _took(made: Shop) -> float:
    """Seconds of the last rollout."""
    records = _records(made)
    begun = next(event.ts for event in records if event.type == "rollout.started")
    return records[-1].ts - begun


def _records(made: Shop) -> Sequence[Event]:
    """All of the last rollout."""
    journal = SqliteJournal(made.folder / "state" / "site")
    try:
        (last,) = journal.rollouts(1)
        return list(journal.events(last.id))
    finally:
        journal.close()


def _last_of(report: Report, version: str) -> float:
    """When the last request was due that was answered by this version."""
    return max(outcome.at for outcome in report.outcomes if f'"{version}"' in outcome.body)


@contextmanager
def _loaded(url: str) -> Iterator[tuple[Load, Load]]:
    """Clients of both kinds."""
    work = f"{url}/work"
    with (
        Load(work, rate=RATE, keep_alive=False) as new,
        Load(work, rate=RATE, keep_alive=True) as kept,
    ):
        yield new, kept


def _range(lost: Sequence[int]) -> str:
    return f"{min(lost)}" if min(lost) == max(lost) else f"{min(lost)}-{max(lost)}"


if __name__ == "__main__":
    main("--short" in sys.argv)
