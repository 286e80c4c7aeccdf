"""Whole clusters restarted under load: without thought, by their manuals, and by gapless.

1. For each system a real cluster on loopback, and a client at a steady rate that tries each
   operation again for two seconds; half are writes. It is that of ``--prove``.
2. The whole cluster is restarted in each manner (``bench/clustering/rolls.py``), without thought
   last. A member is down for the same time in all of them: three seconds, or one with ``--short``.
3. Of each: operations, those that failed, those whose first attempt did, writes that were
   acknowledged and are not there at the end, the longest gap without any good answer, the longest
   operation from when it was due, p99 before and during, and the seconds of the roll.
4. ``--runs N`` restarts by gapless N times, and tells in how many nothing failed and nothing was
   lost.
5. ``--kills N`` kills the controller N times by the way (``bench/clustering/kills.py``).

All of it, the client too, shares the same processors.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.clustering import kills, rolls, systems
from bench.clustering.rig import Rig
from bench.clustering.seen import HEADS, Seen
from bench.results import Bound, table

DOWN, SHORT_DOWN = 3.0, 1.0
GATES = 1.2
"""Seconds that a member may cost beyond those in which it is down or its leaderships move."""
SHORT_TOLERANCE = 2.0
"""--short has one roll, and other tests may have the processors."""
SEED = 20


def main(short: bool, chosen: Sequence[str] = (), runs: int = 1, killed: int = 0) -> list[Bound]:
    """All of them, or those chosen."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as an installed one
    bounds: list[Bound] = []
    for system in chosen or (systems.SHORT if short else systems.NAMES):
        if reason := systems.missing(system):
            bounds.append(Bound(f"{system}: failed and lost", 0, 0, skipped=reason))
            continue
        try:
            bounds += _one(system, short, runs)
            if killed and system in systems.KILLED:
                bounds += _kills(system, killed)
        except Exception:  # the others still tell what they have to tell
            traceback.print_exc()
            bounds.append(Bound(f"{system}: runs", 1, 0))
    return bounds


def _one(system: str, short: bool, runs: int) -> list[Bound]:
    down = SHORT_DOWN if short else DOWN
    with _running(system, down) as rig:
        again = [rolls.rolled(rig, rolls.gapless, down, short=short) for _ in range(runs - 1)]
        seen = {
            name: rolls.rolled(rig, roll, down, short=short)
            for name, roll in rolls.manners(rig, short=short)
        }
        members = len(rig.site.names)
    table(f"{system}: {members} members, {down:g} s down each", HEADS, rolls.shown(seen))
    for name, one in seen.items():
        for failure in one.failures[:2]:
            print(f"  {name}: {failure}")
    alike = [seen["gapless"], *again]
    well, longest = sum(one.well for one in alike), [one.longest for one in alike]
    if again:
        print(f"  gapless: nothing failed and nothing is lost in {well} of {runs} rolls")
        print(f"  gapless: longest operation {min(longest):.2f} to {max(longest):.2f} s")
        firsts = sorted(one.first for one in alike)
        print(f"  gapless: failed at first {firsts[0]} to {firsts[-1]}, median {median(firsts):g}")
    return list(_bounds(rig, seen, alike, members, SHORT_TOLERANCE if short else 1.0))


def _bounds(
    rig: Rig, seen: dict[str, Seen], alike: list[Seen], members: int, more: float
) -> Iterator[Bound]:
    every = [*alike, *(one for name, one in seen.items() if "together" in name)]
    operations = sum(one.operations for one in every)
    yield Bound(f"{rig.name}: failed of {operations}", sum(one.failed for one in every), 0)
    yield Bound(f"{rig.name}: acknowledged, and lost", sum(o.lost + o.unread for o in every), 0)
    longest = max(one.longest for one in every)
    if rig.stall is not None:
        yield Bound(f"{rig.name}: longest operation", longest, rig.stall * more, "s")
    if rig.first is not None and more == 1.0:  # beside others a client is late itself
        first = median(one.first for one in alike)
        yield Bound(f"{rig.name}: failed at first, median", first, rig.first)
    gates = median(one.gates for one in alike) / members
    moves = median(one.moves for one in alike) / members
    print(f"  {rig.name}, each member: gates {gates:.2f} s, moves of leaderships {moves:.2f} s")
    yield Bound(f"{rig.name}: gates, for each member", gates, GATES * more, "s")
    if "gapless, together" in seen:
        ratio = seen["gapless, together"].seconds / seen["gapless"].seconds
        yield Bound(f"{rig.name}: several at a time, to one by one", ratio, 0.5 * more)


def _kills(system: str, count: int) -> Iterator[Bound]:
    with _running(system, 0.0) as rig:
        yield from kills.bounds(rig, count, SEED)


@contextmanager
def _running(system: str, down: float) -> Iterator[Rig]:
    """A cluster of it; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix=f"gapless-bench-{system}-"))
    try:
        rig = systems.rig(system, folder)
        try:
            rig.begin(down)
            yield rig
        finally:
            rig.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main("--short" in sys.argv)
