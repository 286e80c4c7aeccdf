"""A clock that moves when somebody sleeps, for what waits on a cluster."""

from __future__ import annotations


class SleptClock:
    """Seconds since the test began."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
