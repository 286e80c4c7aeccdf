"""Figures of many rollouts on disk, so that totals go on where the last command left them.

1. What each of the last rollouts came to is kept apart, by its id, and replaced as a whole: one
   that is resumed, or told twice, counts once. Those before are added up.
2. Two commands never write at the same time: the folder is locked meanwhile.
3. The book lies beside the file that is made of it, for its owner only; collectors look for another
   ending. An empty one, as a power cut leaves it, is a new one: totals that begin anew are nothing
   strange to Prometheus.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.drivers.sinks.figures import Figures
from gapless.drivers.sinks.files import replace_file

KEPT = 50
"""Rollouts kept apart."""
VERSION = 1


@dataclass
class MetricsBook:
    """``before``: rollouts that are kept apart no more, all together, and the newest values of
    all."""

    before: Figures = field(default_factory=Figures)
    rollouts: dict[str, Figures] = field(default_factory=dict)

    def enter(self, rollout: str, figures: Figures) -> None:
        """What it came to until now. Of values of which the newest counts one is enough for all."""
        self.before.take_in(Figures(last=figures.last))
        self.rollouts.pop(rollout, None)
        self.rollouts[rollout] = Figures(figures.totals)
        for oldest in list(self.rollouts)[:-KEPT]:
            self.before.take_in(self.rollouts.pop(oldest))

    def all(self) -> Figures:
        """Of all rollouts there ever were."""
        whole = Figures()
        for figures in (self.before, *self.rollouts.values()):
            whole.take_in(figures)
        return whole

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        each = {rollout: figures.to_json() for rollout, figures in self.rollouts.items()}
        return {"version": VERSION, "before": self.before.to_json(), "rollouts": each}


@contextmanager
def opened(path: Path) -> Iterator[MetricsBook]:
    """The book at this path, for this program alone; written down at the end. Raises OSError, and
    ValueError for one that cannot be read."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        book = _read(path)
        yield book
        replace_file(path, json.dumps(book.to_json(), separators=(",", ":")))
    finally:
        os.close(folder)


def _read(path: Path) -> MetricsBook:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    if not text:
        return MetricsBook()
    try:
        data = json.loads(text)
        each = {str(name): Figures.from_json(one) for name, one in data["rollouts"].items()}
        return MetricsBook(Figures.from_json(data["before"]), each)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is not what was written: move it away") from None
