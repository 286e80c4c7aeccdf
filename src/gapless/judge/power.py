"""Whether a window is long enough for a PASS: would the effect that matters have been noticed?

Zero errors in n requests prove less than 3/n (the rule of three), so silence alone is no PASS. The
effect that matters must have made its limit's number of errors, or more, in SURE of all cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, lgamma, log

from gapless.judge.bayes import limit
from gapless.judge.tally import Tally

SURE = 0.95
_NOTHING = 1e-17


def enough(window: Tally, before: Tally, dispersion: float, alpha: float, matters: float) -> bool:
    """Whether ``matters`` errors per request or second would have been a rise in this window."""
    least = limit(window, before, dispersion, alpha)
    if least is None:
        return False
    return at_least(least / dispersion, matters * window.exposure / dispersion) >= SURE


def at_least(count: float, mean: float) -> float:
    """Chance that a Poisson number is at least ``count``."""
    if mean <= 0:
        return 0.0 if count > 0 else 1.0
    most = ceil(count) - 1
    if most < 0:
        return 1.0
    peak = min(most, int(mean))
    first = exp(peak * log(mean) - mean - lgamma(peak + 1))
    below = _added(first, (k / mean for k in range(peak, 0, -1)))
    above = _added(first, (mean / k for k in range(peak + 1, most + 1)))
    return max(0.0, 1.0 - (first + below + above))


def _added(chance: float, ratios: Iterator[float]) -> float:
    """Chances of the numbers next to one, each by its ratio to the one before, until they are
    nothing beside 1."""
    total = 0.0
    for ratio in ratios:
        chance *= ratio
        total += chance
        if chance < _NOTHING:
            break
    return total


def proven(window: Tally) -> float:
    """Rule of three: the rate or share above which it is ruled out by a window without errors."""
    return 3 / window.exposure if window.exposure > 0 else 1.0
