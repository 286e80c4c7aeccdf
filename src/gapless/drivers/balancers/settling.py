"""Time that requests get to end where nobody counts them."""

from __future__ import annotations

from gapless.clock import Clock
from gapless.model import Instance


class Settling:
    """Since when each instance was seen out. ``seconds`` is what requests get from then on."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._since: dict[Instance, tuple[object, float]] = {}
        self._ends: dict[Instance, float] = {}

    def over(self, instance: Instance, out: object, more: float = 0.0) -> bool:
        """Whether the time is over. ``out`` names the being out (a revision): another one, and the
        time begins again; None: it is in. ``more`` seconds come on top."""
        if out is None:
            self._since.pop(instance, None)
            self._ends.pop(instance, None)
            return True
        known, since = self._since.get(instance, (None, 0.0))
        now = self._clock.monotonic()
        if known != out:
            self._since[instance] = (out, now)
            since = now
        self._ends[instance] = since + self._seconds + more
        return now >= self._ends[instance]

    def left(self, instance: Instance) -> float | None:
        """Seconds until ``over`` says so, if nothing happens; None where no time runs."""
        ends = self._ends.get(instance)
        return None if ends is None else max(0.0, ends - self._clock.monotonic())
