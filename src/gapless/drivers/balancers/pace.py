"""How long to wait between two looks at a balancer."""

from __future__ import annotations

from collections.abc import Iterator

_FIRST = 0.01


def pauses(most: float) -> Iterator[float]:
    """Seconds, without end: what is awaited mostly comes soon, so the first are short; each is
    twice the one before, up to ``most``."""
    pause = min(_FIRST, most)
    while True:
        yield pause
        pause = min(2 * pause, most)
