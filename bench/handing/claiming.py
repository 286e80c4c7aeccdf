"""How long a claim takes while two copies claim the same 1,000 events a second on tmpfs."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

from bench.results import Bound
from tests.unit.handover.racing import race

_RATE = 500
"""Of each of the two."""


def bounds(short: bool) -> list[Bound]:
    """The best of three: what else this machine does is no part of it."""
    folder = Path(tempfile.mkdtemp(prefix="gapless-bench-", dir="/dev/shm"))
    try:
        tries = [_p99(folder, number, 1000 if short else 10_000) for number in range(3)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = ", ".join(f"{one:.2f} ms" for one in tries)
    print(f"\n  claim at {2 * _RATE} events/s, two copies, sqlite on tmpfs: p99 {said}")
    return [Bound("claim, p99", min(tries) * 1000, 1000, "us")]


def _p99(folder: Path, number: int, events: int) -> float:
    runs = race(folder, f"sqlite://{folder}/claims-{number}.db", events, rate=_RATE)
    took = sorted(itertools.chain.from_iterable(took for _, took in runs))
    return took[int(len(took) * 0.99)]
