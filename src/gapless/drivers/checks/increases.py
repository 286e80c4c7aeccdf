"""How much a counter grew between two moments, from its samples as they were scraped.

1. What it was at the beginning is its last sample until then.
2. A sample that is lower than the one before, or the first one of a new process, is counted whole:
   the counter began again at 0.
3. A series without an earlier sample began at 0, too, provided that its target was watched before
   it appeared: this is where the errors of a start are, which ``increase()`` does not see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

Samples = Sequence[tuple[float, float]]
"""Times, in seconds since the epoch and ascending, and values."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is scraped: when it was watched, and the first scrapes of new processes there."""

    watched: float | None = None
    """The first scrape that is known, None where nothing is known of scrapes."""
    starts: tuple[float, ...] = ()
    started: float | None = None
    """When its process says that it began."""

    def new(self, first: float, since: float) -> bool:
        """Whether a series first seen at ``first`` began at 0 after ``since``."""
        before = self.watched is None or self.watched < first
        return before or (self.started is not None and self.started >= since)


def increase(samples: Samples, since: float, until: float, target: Target) -> float:
    """By how much it grew in ``(since, until]``."""
    earlier = [sample for sample in samples if sample[0] <= since]
    inside = [sample for sample in samples if since < sample[0] <= until]
    if not inside:
        return 0.0
    if earlier:
        last = earlier[-1]
    elif target.new(inside[0][0], since):
        last = (inside[0][0], 0.0)
    else:
        last = inside[0]
    grown = 0.0
    for at, value in inside:
        again = value < last[1] or _began(target.starts, last[0], at)
        grown += value if again else value - last[1]
        last = (at, value)
    return grown


def _began(starts: Collection[float], after: float, until: float) -> bool:
    return any(after < start <= until for start in starts)
