"""One process replaced under load: ``gapless run`` beside who does it otherwise.

1. Side by side, on a TCP port and on a unix path: a client at 300 requests a second, half of its
   connections new for each request and half kept, while the service is flipped again and again.
   The program under supervisors works 2 ms per request and does nothing else meanwhile; servers
   that bring their own workers have the same work in an application.
2. Idle: everybody at once, without a request: how often what supervises wakes, and its memory
   (of ours with the guard, a second process).
3. ``gapless run`` alone: flips without load, for what it adds itself, and the soak under load.

*decide* is from the first new copy being ready to the first old one being told to stop, both by
the programs' own clocks; *flip* from the request to the last old process being gone, so the
program's own start and end are in it. Nobody is asked to settle or to delay, except where that
cannot be turned off. Processors are shared by all of it.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.flipping.measuring import Activity, Memory, activity, memory
from bench.flipping.ours import Gapless
from bench.flipping.rivals import RIVALS
from bench.flipping.target import Flip, Stuck, Target, python
from bench.results import Bound, table
from tests.supervisor.load import Result, loading, share

RATE = 300.0
CONNECTIONS = 16
PAUSE = 0.1
"""Between two flips: time for what is kept alive to arrive at the new copy."""
STUCK = 60.0
IDLE = 10.0
WARM = 10
"""Flips after which memory is expected not to grow any more."""

DECIDE_P50, DECIDE_P99 = 5.0, 25.0
RESIDENT, PRIVATE = 15.0, 9.0
GROWTH = 256.0
SHORT_TOLERANCE = 2.0
"""--short has few flips, and other tests may have the processors."""

TARGETS: tuple[type[Target], ...] = (Gapless, *RIVALS)


@dataclass
class Series:
    """Flips of one target, and what its clients and the kernel say about them."""

    flips: list[Flip] = field(default_factory=list)
    stuck: str = ""
    load: Result = field(default_factory=Result)
    memory: Memory = field(default_factory=lambda: Memory(0, 0))

    def decide(self, part: float) -> float:
        """A percentile; not a number when nobody noted it."""
        known = sorted(flip.decide for flip in self.flips if not math.isnan(flip.decide))
        return share(known, part) if known else math.nan

    def took(self, part: float) -> float:
        """A percentile."""
        return share(sorted(flip.took for flip in self.flips), part)

    def row(self, name: str, first: Series) -> list[str]:
        """As a line of a table; ``first`` is what the ratio is to."""
        counts = f"{len(self.flips)}" + (" stuck" if self.stuck else "")
        answers = [f"{self.load.sent}"]
        answers += [f"{self.load.failures_of(kind)}" for kind in ("each", "keep")]
        ratio = f"{self.took(0.5) / first.took(0.5):.1f} x" if first.flips else "-"
        return [
            name, counts, *answers, _ms(self.decide(0.5)), _ms(self.decide(1.0)),
            _ms(self.took(0.5)), ratio, _ms(self.load.p50), _ms(self.load.p99),
        ]  # fmt: skip


HEADS = (
    "", "flips", "requests", "failed new", "failed kept", "decide p50", "decide max",
    "flip p50", "to gapless", "answer p50", "answer p99",
)  # fmt: skip

QUIET_HEADS = (
    "", "flips", "decide p50", "decide p99", "decide max", "flip p50", "RSS", "private",
)  # fmt: skip


def main(short: bool) -> list[Bound]:
    """All parts."""
    _describe()
    Gapless.install()
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as name:
        folder = Path(name)
        side_by_side = _compare(folder, short)
        _idle(folder)
        if reason := Gapless.missing():
            return [Bound("gapless run", 0, 0, skipped=reason)]
        quiet = _quiet(folder, short)
        return [*_failed(side_by_side), *_bounds_of(quiet, short), *_soak(folder, short)]


def _describe() -> None:
    kernel = platform.release().split("-")[0]
    print(
        f"  {time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, Linux {kernel}, programs and "
        f"gapless run on {python()}, {RATE:g} requests/s on {CONNECTIONS} connections"
    )


def _compare(folder: Path, short: bool) -> list[Series]:
    """The table of everybody; ours of it."""
    ours = []
    for where in ("tcp", "unix"):
        found: dict[str, Series] = {}
        for kind in TARGETS if where == "tcp" or not short else (Gapless,):
            if reason := kind.missing():
                print(f"  {kind.name} left out: {reason}")
                continue
            limit = _limits(kind, short)
            try:
                with _running(kind, folder, where) as target:
                    found[kind.name] = _series(target, *limit)
            except RuntimeError as error:
                print(f"  {kind.name}, {where}, left out: {error}")
        first = found.get(Gapless.name, Series())
        rows = [series.row(name, first) for name, series in found.items()]
        table(f"flips under load, {where}", HEADS, rows)
        _tell_failures(found)
        ours += [first] if first.flips else []
    return ours


def _limits(kind: type[Target], short: bool) -> tuple[int, float]:
    """How many flips, and for how long at most: some take seconds each."""
    if short:
        return (20, 10.0) if kind is Gapless else (5, 6.0)
    return 20, 150.0


@contextlib.contextmanager
def _running(kind: type[Target], folder: Path, where: str) -> Iterator[Target]:
    target = kind(Path(tempfile.mkdtemp(dir=folder)) / "run", where)
    try:
        target.start()
        yield target
    finally:
        target.stop()


def _series(target: Target, most: int, seconds: float) -> Series:
    """Flips under load."""
    series = Series()
    with loading(target.address, rate=RATE, connections=CONNECTIONS, connect="both") as load:
        time.sleep(0.3)
        _flip_often(target, series, most, seconds)
        time.sleep(0.3)
        series.memory = memory(target.own)
        series.load = load.end()
    return series


def _flip_often(target: Target, series: Series, most: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while len(series.flips) < most and time.monotonic() < until and not series.stuck:
        try:
            series.flips.append(target.flip(STUCK))
        except (Stuck, OSError) as error:
            series.stuck = f"flip {len(series.flips) + 1}: {error}"
        time.sleep(PAUSE)


def _tell_failures(found: dict[str, Series]) -> None:
    for name, series in found.items():
        if series.load.failed:
            print(f"  {name} failed: {_reasons(series.load)}")
        if series.stuck:
            print(f"  {name} stuck: {series.stuck}")


def _reasons(load: Result) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(load.failed.items()))


@dataclass(frozen=True)
class Rest:
    """A target that has nothing to do."""

    name: str
    target: Target
    before: Activity

    def row(self) -> list[str]:
        """What it did since."""
        now, size = activity(self.target.own), memory(self.target.own)
        woken = now.sleeps - self.before.sleeps
        ran = now.ran - self.before.ran
        return [
            self.name, f"{size.resident / 1024:.1f} MB", f"{size.private / 1024:.1f} MB",
            f"{woken}", f"{ran:.1f} ms",
        ]  # fmt: skip


def _idle(folder: Path) -> None:
    """All at once: nobody asks them anything."""
    with contextlib.ExitStack() as stack:
        targets = []
        for kind in TARGETS:
            if not kind.missing():
                with contextlib.suppress(RuntimeError):  # told before
                    targets.append(stack.enter_context(_running(kind, folder, "tcp")))
        time.sleep(2)
        resting = [Rest(target.name, target, activity(target.own)) for target in targets]
        time.sleep(IDLE)
        heads = ("", "RSS", "private", f"wakeups in {IDLE:g} s", "CPU")
        table("what supervises, idle", heads, [rest.row() for rest in resting])


def _quiet(folder: Path, short: bool) -> Series:
    """Flips without load, one after the other."""
    series = Series()
    with _running(Gapless, folder, "tcp") as target:
        _flip_often(target, series, 30 if short else 200, STUCK * 2)
        series.memory = memory(target.own)
    return series


def _failed(side_by_side: list[Series]) -> list[Bound]:
    failed = sum(series.load.failures for series in side_by_side)
    stuck = sum(bool(series.stuck) for series in side_by_side)
    return [Bound("side by side, failed requests", failed, 0), Bound("stuck", stuck, 0)]


def _bounds_of(quiet: Series, short: bool) -> list[Bound]:
    tolerance = SHORT_TOLERANCE if short else 1.0
    size = quiet.memory
    row = [
        Gapless.name, f"{len(quiet.flips)}", *(_ms(quiet.decide(p)) for p in (0.5, 0.99, 1.0)),
        _ms(quiet.took(0.5)), f"{size.resident / 1024:.1f} MB", f"{size.private / 1024:.1f} MB",
    ]  # fmt: skip
    table("flips without load", QUIET_HEADS, [row])
    if quiet.stuck:
        print(f"  stuck: {quiet.stuck}")
    bounds = [Bound("quiet flips, stuck", int(bool(quiet.stuck)), 0)]
    for name, part, limit in (("p50", 0.5, DECIDE_P50), ("p99", 0.99, DECIDE_P99)):
        bounds.append(Bound(f"decide {name}", quiet.decide(part), limit * tolerance, "ms"))
    debian = "" if python() == "/usr/bin/python3" else "there is no Python of Debian's here"
    for name, kibibytes, most in (
        ("RSS", size.resident, RESIDENT),
        ("private", size.private, PRIVATE),
    ):
        what = f"supervisor and guard, {name}"
        bounds.append(Bound(what, kibibytes / 1024, most, "MB", skipped=debian))
    return bounds


def _soak(folder: Path, short: bool) -> list[Bound]:
    """Many flips under load; memory is compared with that after the first few."""
    count = 100 if short else 1000
    series = Series()
    with (
        _running(Gapless, folder, "tcp") as target,
        loading(target.address, rate=RATE, connections=CONNECTIONS, connect="both") as load,
    ):
        began = time.monotonic()
        _soak_flips(target, series, WARM)
        warm = memory(target.own)
        _soak_flips(target, series, count)
        series.memory = memory(target.own)
        took = time.monotonic() - began
        series.load = load.end()
    growth = series.memory.resident - warm.resident
    table(f"soak, {took:.0f} s", HEADS, [series.row(Gapless.name, series)])
    print(f"  RSS after {WARM} flips {warm.resident} KiB, after all {series.memory.resident} KiB")
    _tell_failures({Gapless.name: series})
    bounds = [
        Bound(f"soak, flips of {count} not made", count - len(series.flips), 0),
        Bound("soak, failed requests", series.load.failures, 0),
    ]
    long_only = "only over 1,000 flips" if short else ""
    return [*bounds, Bound("soak, growth", growth, GROWTH, "KiB", skipped=long_only)]


def _soak_flips(target: Target, series: Series, count: int) -> None:
    """Back to back: the next is asked for as soon as the last old copy is gone."""
    while len(series.flips) < count and not series.stuck:
        try:
            series.flips.append(target.flip(STUCK))
        except (Stuck, OSError) as error:
            series.stuck = f"flip {len(series.flips) + 1}: {error}"


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


if __name__ == "__main__":
    sys.exit(0 if all(bound.ok for bound in main("--short" in sys.argv)) else 1)
