"""Clocks of the members' hosts, and those that go wrong.

1. A host tells the time somewhere between our question and its answer: how far its clock is from
   ours is known to lie between two numbers, and no better.
2. Two clocks are apart by what is left when both are given the benefit of the doubt.
3. Of three or more the one in the middle is right, and others are ahead of it or behind. Of two, or
   where no single one is too far from the middle, nobody can say which of them is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gapless.clusters.finding import Finding

_REMEDY = (
    "timedatectl set-ntp true on that host, then chronyc tracking or timedatectl timesync-status"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one host: seconds that its clock is ahead of one and the same other, at least and at
    most."""

    host: str
    least: float
    most: float

    @property
    def ahead(self) -> float:
        """The middle of it."""
        return (self.least + self.most) / 2

    @property
    def unsure(self) -> float:
        """How far that may be wrong to either side."""
        return (self.most - self.least) / 2

    def surely_from(self, other: Reading) -> float:
        """Rule 2; below 0 where they may be alike."""
        return max(self.least - other.most, other.least - self.most)


def skewed(readings: Sequence[Reading], limit: float) -> Iterator[Finding]:
    """Those whose clocks are further apart than that, for certain."""
    if len(readings) < 2:
        return
    first = min(readings, key=lambda one: one.most)
    last = max(readings, key=lambda one: one.least)
    if last.surely_from(first) <= limit:
        return
    middle = sorted(readings, key=lambda one: one.ahead)[len(readings) // 2]
    off = [one for one in readings if one.surely_from(middle) > limit]
    if len(readings) > 2 and off:
        for one in off:
            apart = one.ahead - middle.ahead
            way = "ahead of" if apart > 0 else "behind"
            told = f"its clock is {_seconds(apart)} {way} that of {middle.host}"
            yield _finding(one.host, told, readings, limit)
        return
    told = f"their clocks are {_seconds(last.ahead - first.ahead)} apart"
    yield _finding(f"{first.host} and {last.host}", told, readings, limit)


def _finding(where: str, told: str, readings: Sequence[Reading], limit: float) -> Finding:
    return Finding(
        code="clock-skew",
        where=where,
        what=f"{told}, and {limit:g} s are allowed",
        evidence="\n".join(
            f"{one.host}: {one.ahead - readings[0].ahead:+.3f} s from {readings[0].host},"
            f" give or take {one.unsure + readings[0].unsure:.3f} s"
            for one in readings[1:]
        ),
        next=_REMEDY,
    )


def _seconds(apart: float) -> str:
    return f"{abs(apart):.3g} s"
