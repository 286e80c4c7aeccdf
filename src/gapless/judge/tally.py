"""What was counted in a window: errors, and what they are a part of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """``seconds`` covered (of several hosts: their sum); ``requests`` None where errors alone are
    counted, and time is what they are a part of."""

    errors: int = 0
    seconds: float = 0.0
    requests: int | None = None

    @property
    def exposure(self) -> float:
        """Requests, or seconds where there are none to count."""
        return self.seconds if self.requests is None else float(self.requests)

    @property
    def rate(self) -> float:
        """Errors per request or second; 0 of nothing."""
        return self.errors / self.exposure if self.exposure else 0.0

    def __add__(self, other: Tally) -> Tally:
        both = None if self.requests is None else self.requests + (other.requests or 0)
        return Tally(self.errors + other.errors, self.seconds + other.seconds, both)

    def to_json(self) -> list[float | None]:
        """Plain data for a journal: its fields in their order."""
        return [self.errors, self.seconds, self.requests]

    def since(self, earlier: Tally) -> Tally:
        """What came after ``earlier``, a part of this one; what arrives late counts as new."""
        both = None if self.requests is None else max(0, self.requests - (earlier.requests or 0))
        return Tally(
            max(0, self.errors - earlier.errors), max(0.0, self.seconds - earlier.seconds), both
        )


def total(tallies: list[Tally]) -> Tally | None:
    """Their sum; None of none."""
    if not tallies:
        return None
    first, *others = tallies
    for other in others:
        first = first + other
    return first


def lend(mine: Tally | None, theirs: Tally | None, now: Tally, seconds: float) -> Tally | None:
    """What the baseline of others adds to one that is shorter than ``seconds``: as much as is
    missing, at their rate. None where nothing is missing, or nobody has it."""
    missing = seconds - (mine.seconds if mine is not None else 0.0)
    if theirs is None or missing <= 0 or theirs.exposure <= 0:
        return None
    if theirs.requests is not None:
        pace = (now.requests or 0) / now.seconds if now.seconds else 0.0
        share = min(1.0, missing * pace / theirs.requests)
    else:
        share = min(1.0, missing / theirs.seconds)
    requests = None if theirs.requests is None else round(theirs.requests * share)
    return Tally(round(theirs.errors * share), theirs.seconds * share, requests)
