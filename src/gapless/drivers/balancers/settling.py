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

    def over(self, instance: Instance, out: object, more: float = 0.0) -> bool:
        """Whether the time is over. ``out`` names the being out (a revision): another one, and the
        time begins again; None: it is in. ``more`` seconds come on top."""
        if out is None:
            self._since.pop(instance, None)
            return True
        known, since = self._since.get(instance, (None, 0.0))
        now = self._clock.monotonic()
        if known != out:
            self._since[instance] = (out, now)
            since = now
        return now - since >= self._seconds + more
