"""The rate gate: how much better "several times as many errors" explains a window than "as before".

1. The baseline gives what is known of the rate: a Gamma distribution of incidents per second, a
   Beta distribution of failed requests.
2. A window then has a probability under each ratio to that rate (negative binomial, beta binomial).
3. The Bayes factor is the mean over the ratios of RATIOS against "at most MARGIN times as before".
   Where nothing changed it is above 1/alpha with a chance of about alpha, however often one looks.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log

from gapless.judge.tally import Tally

RATIOS = (2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
MARGIN = 1.5
LEAST = 3
"""Fewer errors are never a rise."""
_SHAPE = 0.5
"""Of the distribution before the baseline was seen: next to nothing is known."""
_MOST = 0.95
"""Share of failed requests that no ratio goes beyond."""


def log_factor(new: Tally, before: Tally, dispersion: float) -> float:
    """Logarithm of the Bayes factor; 0 where there is nothing to compare."""
    if new.exposure <= 0 or before.exposure <= 0:
        return 0.0
    likely = _incidents if new.requests is None else _requests
    level = likely(new, before, dispersion, MARGIN)
    return log_mean([likely(new, before, dispersion, ratio) - level for ratio in RATIOS])


def _incidents(new: Tally, before: Tally, dispersion: float, ratio: float) -> float:
    """Logarithm of the gamma-Poisson probability, up to what does not depend on the ratio."""
    shape = _SHAPE + before.errors / dispersion
    count = new.errors / dispersion
    scaled = ratio * new.seconds
    known = before.seconds
    return shape * log(known / (known + scaled)) + count * log(scaled / (known + scaled))


def _requests(new: Tally, before: Tally, dispersion: float, ratio: float) -> float:
    """Logarithm of the beta-binomial probability, up to what does not depend on the ratio."""
    shape = _SHAPE + before.errors / dispersion
    rest = _SHAPE + max(0.0, before.exposure - before.errors) / dispersion
    mean = min(_MOST, ratio * shape / (shape + rest))
    rest = shape * (1 / mean - 1)
    bad = new.errors / dispersion
    good = max(0.0, new.exposure - new.errors) / dispersion
    return _log_beta(shape + bad, rest + good) - _log_beta(shape, rest)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_mean(logs: list[float]) -> float:
    """Logarithm of the mean of what these are the logarithms of."""
    most = max(logs)
    return most if most == -inf else most + log(sum(exp(one - most) for one in logs) / len(logs))


def risen(new: Tally, before: Tally, dispersion: float, alpha: float) -> bool:
    """Whether there are more errors than chance explains once in 1/alpha rollouts."""
    return new.errors >= LEAST and log_factor(new, before, dispersion) > -log(alpha)


def limit(window: Tally, before: Tally, dispersion: float, alpha: float) -> int | None:
    """The least number of errors in a window of this exposure that is a rise; None: no number
    of them would be."""

    def is_rise(errors: int) -> bool:
        return risen(
            Tally(errors, window.seconds, window.requests), before, dispersion, alpha
        )  # fmt: skip

    if window.requests is not None and window.requests < LEAST:
        return None
    most = LEAST
    while not is_rise(most):
        if (window.requests is not None and most >= window.requests) or most > _ENDLESS:
            return None
        most = most * 2 if window.requests is None else min(most * 2, window.requests)
    least = max(LEAST, most // 2)
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if is_rise(middle) else (middle + 1, most)
    return least


_ENDLESS = 10_000_000
