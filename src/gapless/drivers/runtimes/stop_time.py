"""How long an instance took to stop, as far as anybody tells.

1. systemd notes when a unit left "active" and when it arrived at "inactive". These are of this stop
   when they are others than before it.
2. A command that stops it and does nothing else took as long as the host says.
3. Else nobody knows: a restart in one command is a start, too.
"""

from __future__ import annotations

from gapless.drivers.runtimes.base import Replacement
from gapless.model import Observation, Settled

LEFT, STOPPED = "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic"


def stop_time(
    before: Observation, now: Observation, replacement: Replacement, settled: Settled
) -> float | None:
    """Seconds; None where nobody knows."""
    left, stopped = (_micros(now, name) for name in (LEFT, STOPPED))
    if left and stopped is not None and stopped >= left and left != _micros(before, LEFT):
        return round((stopped - left) / 1e6, 3)
    stops = [one.elapsed for one in settled.completed if one.argv == replacement.stop]
    return round(stops[0], 3) if stops else None


def _micros(seen: Observation, name: str) -> int | None:
    told = seen.detail.get(name, "")
    return int(told) if told.isdigit() else None
