"""How much burstier than chance errors come: 1 is chance, 10 is bursts of about ten.

1. The baseline is cut into short buckets, the window since the switch into its looks; their
   chi-square per degree of freedom, each about its own rate, is the estimate.
2. Few errors say little of it, so it is shrunk to a prior: as if six more buckets (or errors, if
   those are fewer) had shown the prior.
3. Every count is then worth 1/dispersion of one: likelihoods are raised to that power, which keeps
   them valid for tests that may be looked at at any time.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.judge.tally import Tally

BUCKET = 10.0
"""Seconds of one bucket."""
WEIGHT = 6.0
INCIDENTS = 4.0
"""Prior where incidents are counted: messages come in bursts."""
REQUESTS = 1.0
"""Prior where failed requests are: one by one, until there are enough to know better."""


def dispersion(kind: Tally, *windows: Sequence[Tally]) -> float:
    """From windows cut into buckets, each about its own rate; 1 at least. ``kind`` tells which
    prior is right."""
    prior = INCIDENTS if kind.requests is None else REQUESTS
    found = [found for window in windows if (found := _chi(window)) is not None]
    chi = sum(chi for chi, _, _ in found)
    free = sum(free for _, free, _ in found)
    if not free:
        return prior
    known = sum(min(free, errors) for _, free, errors in found)
    return max(1.0, (WEIGHT * prior + known * chi / free) / (WEIGHT + known))


def _chi(window: Sequence[Tally]) -> tuple[float, int, int] | None:
    """Chi-square, degrees of freedom and errors of one window; None where it tells nothing."""
    used = [bucket for bucket in window if bucket.exposure > 0]
    errors = sum(bucket.errors for bucket in used)
    if len(used) < 2 or not errors:
        return None
    rate = errors / sum(bucket.exposure for bucket in used)
    spread = 1.0 if used[0].requests is None else max(1e-9, 1.0 - rate)
    chi = sum((b.errors - rate * b.exposure) ** 2 / (rate * b.exposure * spread) for b in used)
    return chi, len(used) - 1, errors
