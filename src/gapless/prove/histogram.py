"""Latencies in little memory, however long a rollout takes."""

from __future__ import annotations

import math
from collections import Counter

_GROWTH = math.log(1.02)  # a bucket is 2 % wide
_LEAST = 1e-5


class Histogram:
    """Counts per logarithmic bucket: percentiles are right to about 1 %."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._total = 0

    def add(self, seconds: float) -> None:
        """Count one latency."""
        self._buckets[round(math.log(max(seconds, _LEAST) / _LEAST) / _GROWTH)] += 1
        self._total += 1

    def percentile(self, percent: float) -> float | None:
        """What that many per cent stayed within; None of none."""
        wanted = max(1, math.ceil(self._total * percent / 100))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return _LEAST * math.exp(bucket * _GROWTH)
        return None
