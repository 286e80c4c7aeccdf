"""What needs few statistics: half of the requests fail, a message never seen before repeats."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from gapless.judge.bayes import LEAST, log_mean
from gapless.judge.tally import Tally

HALF = 0.5
FEW = 5
"""Errors below which half of the requests is chance."""
USUAL = 0.05
"""Share of failed requests before, above which half of them is no news by itself."""
NEVER_SEEN = 3
"""Times a message that was never seen before may not come."""
_WORSE = (2.0, 5.0, 20.0)
_MOST = 0.95


def half_fails(window: Tally, reference: Tally | None) -> bool:
    """Whether at least five requests failed and they are half of all."""
    if window.requests is None or window.errors < FEW:
        return False
    before = reference.rate if reference else 0.0
    return before <= USUAL and window.rate >= HALF


def above(window: Tally, ceiling: float, dispersion: float, alpha: float) -> bool:
    """Whether the share of failed requests is above a ceiling, and not by chance: the likelihood
    of a few times the ceiling against the ceiling itself, so that one may look at any time."""
    if window.requests is None or window.errors < LEAST or ceiling >= _MOST:
        return False
    good = max(0, window.requests - window.errors)
    shares = [min(_MOST, ratio * ceiling) for ratio in _WORSE]
    gains = [
        (window.errors * log(p / ceiling) + good * log((1 - p) / (1 - ceiling))) / dispersion
        for p in shares
    ]
    return log_mean(gains) > -log(alpha)


def repeated(unseen: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The messages never seen before that came too often for an accident."""
    return tuple((message, times) for message, times in unseen if times >= NEVER_SEEN)
