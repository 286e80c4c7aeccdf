"""When requests are due, and how much of the time the prover itself was asleep at the wheel."""

from __future__ import annotations

import math

LATE = 0.05
"""Waking up that many seconds after the appointed time is the prover's own stall."""


class Pace:
    """An open-loop schedule: requests are due whether or not earlier ones came back.

    Missed ones are not made up for in a burst: they are counted ``late``, and the time they were
    missed in is taken off what the service is measured by (``fair``).
    """

    def __init__(self, rate: float, now: float) -> None:
        self._every = 1.0 / rate
        self._due = self._wake = now
        self._stalled = 0.0
        self.late = 0
        self.taken = now
        """When the request that was taken last was due, without the stalls before it."""

    def nap(self, now: float) -> float:
        """Seconds to sleep now; short even at a low rate, so that a stall is noticed at all."""
        self._wake = min(max(self._due, now), now + LATE)
        return self._wake - now

    def fair(self, now: float) -> float:
        """``now`` without the stalls so far; differences of it are the service's alone.

        Whoever wakes first after a stall calls this, so none is blamed on an answer that was read
        before the schedule came to its turn.
        """
        if now - self._wake > LATE:
            self._stalled += now - self._wake
            self._wake = now
            if self._due < now:
                self.late += math.ceil((now - self._due) / self._every)
                self._due = now
        return now - self._stalled

    def take(self, now: float) -> bool:
        """Whether a request is due; then the next one is due an interval later."""
        if now < self._due:
            return False
        self.taken = self._due - self._stalled
        self._due += self._every
        return True

    def stop(self) -> None:
        """Nothing is due any more, and nobody can be late."""
        self._due = self._wake = math.inf
