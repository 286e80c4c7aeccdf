"""The counting of one prover; of constant size, whatever the number of requests."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

from gapless.prove.gap import Failure, Gap
from gapless.prove.histogram import Histogram

_FIRST = 5  # failures told in words
_VERSIONS = 20  # a "version" that is a time stamp must not fill the memory


class Tally:
    """Adds up answers, before and during the change."""

    def __init__(self) -> None:
        self.before = Histogram()
        self.during = Histogram()
        self.changing = False
        self._good = self._failed = self._late = self._failed_new = 0
        self._last = self._silence = 0.0
        self._failures: list[Failure] = []
        self._versions: Counter[str] = Counter()

    def good(self, latency: float, at: float, version: str) -> None:
        """A good answer that arrived at ``at``."""
        self._good += 1
        (self.during if self.changing else self.before).add(latency)
        self._silence = max(self._silence, at - self._last)
        self._last = max(self._last, at)
        if version:
            self._versions[self._known(version)] += 1

    def bad(self, at: float, what: str, *, kept: bool) -> None:
        """A failed request that was sent at ``at``."""
        self._failed += 1
        self._failed_new += not kept
        if len(self._failures) < _FIRST:
            self._failures.append(Failure(at, what))

    def undecided(self) -> None:
        """A request that a stall of our own cut."""
        self._late += 1

    def gap(self, at: float, late: int, rate: float) -> Gap:
        """The numbers at the moment ``at``, with the silence that still lasts."""
        sent = self._good + self._failed
        return Gap(
            sent=sent,
            failed=self._failed,
            late=self._late + late,
            longest_silence=max(self._silence, at - self._last),
            p50_before=self.before.percentile(50),
            p99_before=self.before.percentile(99),
            p50_during=self.during.percentile(50),
            p99_during=self.during.percentile(99),
            failures=tuple(self._failures),
            versions=dict(self._versions),
            seconds=at,
            rate=sent / at if at > 0 else 0.0,
            rate_wanted=rate,
            failed_new=self._failed_new,
            failed_kept=self._failed - self._failed_new,
        )

    def _known(self, version: str) -> str:
        if version in self._versions or len(self._versions) < _VERSIONS:
            return version
        return "other"


def version_in(body: bytes) -> str:
    """The ``version`` of a JSON body, "" when there is none."""
    if not body.startswith(b"{"):
        return ""
    with suppress(ValueError, KeyError, RecursionError):
        return str(json.loads(body)["version"])[:80]
    return ""
