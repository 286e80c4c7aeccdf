"""How long ``gapless --help`` takes, as a whole process, beside Python alone and bare imports."""

from __future__ import annotations

import sys
from statistics import median

from bench.results import Bound, run, table

LIMIT = 150.0
SHORT_TOLERANCE = 1.5
"""--short runs while other tests may have the processor."""

PROGRAMS = {
    "python -c pass": ("-c", "pass"),
    "import gapless": ("-c", "import gapless"),
    "gapless --help": ("-m", "gapless", "--help"),
}


def main(short: bool) -> list[Bound]:
    """Rounds in which each program runs once, so that noise meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    cpu: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(5 if short else 15):
        for name, argv in PROGRAMS.items():
            done = run((sys.executable, *argv))
            taken[name].append(done.wall * 1000)
            cpu[name].append(done.cpu * 1000)
    python = median(taken["python -c pass"])
    rows = [
        (name, f"{median(walls):.0f} ms", f"{min(walls):.0f} ms", f"{median(cpu[name]):.0f} ms",
         f"{median(walls) / python:.1f} x")
        for name, walls in taken.items()
    ]  # fmt: skip
    table("start of a process", ("program", "median", "best", "CPU", "of Python alone"), rows)
    limit = LIMIT * (SHORT_TOLERANCE if short else 1)
    return [Bound("gapless --help, median", median(taken["gapless --help"]), limit, "ms")]
