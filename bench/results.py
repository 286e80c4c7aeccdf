"""What every benchmark hands back, and how it is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Bound:
    """A measured value and the most it may be. ``limit`` has its tolerance included, if any;
    ``skipped`` says why nothing was measured."""

    name: str
    measured: float
    limit: float
    unit: str = ""
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Whether it holds (or could not be measured)."""
        return bool(self.skipped) or self.measured <= self.limit

    @property
    def counts(self) -> bool:
        """Whether it is a number of things that must not happen: no noise of a machine excuses
        one."""
        return self.limit == 0 and not self.unit

    @property
    def row(self) -> tuple[str, ...]:
        """As a line of a table."""
        if self.skipped:
            return (self.name, "-", self._number(self.limit), f"skipped: {self.skipped}")
        verdict = "ok" if self.ok else "BROKEN"
        return (self.name, self._number(self.measured), self._number(self.limit), verdict)

    def _number(self, value: float) -> str:
        return f"{value:.0f} {self.unit}" if self.unit in ("ms", "MB") else (
            f"{value:.3g} {self.unit}".rstrip()
        )  # fmt: skip


BOUND_HEADS = ("bound", "measured", "at most", "")


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print left-aligned names and right-aligned numbers."""
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    print(f"\n{title}")
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  " + "   ".join(cells).rstrip())
    sys.stdout.flush()


def conclude(bounds: Sequence[Bound], *, strict: bool) -> int:
    """Print the bounds; the exit code. Times and memory matter where it is ``strict``."""
    table("bounds", BOUND_HEADS, [bound.row for bound in bounds])
    return int(any(not bound.ok for bound in bounds if strict or bound.counts))


@dataclass(frozen=True)
class Run:
    """One run of a program as a process of its own: seconds on the wall and of CPU, its most
    memory (the largest process of it), and what it printed."""

    wall: float
    cpu: float
    megabytes: float
    output: str

    @property
    def data(self) -> Any:
        """The JSON on its last line."""
        return json.loads(self.output.strip().splitlines()[-1])


def run(argv: Sequence[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> Run:
    """Run a program to its end; raises RuntimeError with its words when it fails.

    As an installed one: with the byte code of its modules."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=cwd, env={**inherited, **(env or {})}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {process.returncode}\n{output[-3000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)
