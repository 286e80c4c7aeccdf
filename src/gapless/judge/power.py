"""Whether a window is long enough for a PASS: would the effect that matters have been noticed?

Zero errors in n requests prove less than 3/n (the rule of three), so silence alone is no PASS. The
effect that matters must have made its limit's number of errors, or more, in SURE of all cases.
"""

from __future__ import annotations

from math import ceil, exp, lgamma, log

from gapless.judge.bayes import limit
from gapless.judge.tally import Tally

SURE = 0.95


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
    less = sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(ceil(count)))
    return max(0.0, 1.0 - less)


def proven(window: Tally) -> float:
    """Rule of three: the rate or share above which it is ruled out by a window without errors."""
    return 3 / window.exposure if window.exposure > 0 else 1.0
