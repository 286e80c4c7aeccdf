"""What a copy that ends has not finished."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.handover.copy import Copy, log

_SHOWN = 20


@dataclass(frozen=True)
class Left:
    """Empty after draining to the end."""

    events: tuple[str, ...]
    """Ids of events whose handlers were still at work, that another copy had not done yet, or that
    were kept and not offered."""
    followups: int


def left_by(copy: Copy) -> Left:
    """Says it, too: nobody else will know."""
    left = Left(copy.undone, copy.followups)
    if left.events or left.followups:
        some = ", ".join(left.events[:_SHOWN])
        more = len(left.events) - _SHOWN
        log.warning(
            "%s ends at its deadline; left undone: %d events (%s%s), %d follow-ups",
            copy.environment.id,
            len(left.events),
            some,
            f" and {more} more" if more > 0 else "",
            left.followups,
        )
    return left
