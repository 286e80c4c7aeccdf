"""How long a rollout may take: the time in which it waits for no person.

Two services may wait for a person at the same time, and somebody may have paused it all meanwhile:
the time that goes by counts once, from when the first waits until nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gapless.clock import Clock


class Deadline:
    """``seconds`` from now on; 0: none."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._began = clock.monotonic()
        self._waited = 0.0
        """Seconds that persons took, over by now."""
        self._waiting = 0
        """How many wait for a person now, and since when anybody does."""
        self._since = 0.0

    @property
    def over(self) -> bool:
        """Whether the rollout has worked for longer than it may."""
        return self._seconds > 0 and self._worked() > self._seconds

    @contextmanager
    def stands_still(self) -> Iterator[None]:
        """While the body runs a person is waited for."""
        self.stop()
        try:
            yield
        finally:
            self.go_on()

    def stop(self) -> None:
        """One more waits for a person."""
        if not self._waiting:
            self._since = self._clock.monotonic()
        self._waiting += 1

    def go_on(self) -> None:
        """One of them waits no more."""
        self._waiting -= 1
        if not self._waiting:
            self._waited += self._clock.monotonic() - self._since

    def _worked(self) -> float:
        now = self._since if self._waiting else self._clock.monotonic()
        return now - self._began - self._waited
