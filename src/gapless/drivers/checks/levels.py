"""The contract of what knows how high something is: a latency, a lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Level:
    """``at``: when it was measured, seconds since the epoch, as far as its source tells."""

    value: float
    at: float


class LevelSource(Protocol):
    """One number, on one host or of all."""

    async def now(self, host: str, at: float) -> Level | None:
        """How high it is at that moment; None where there is no data. Raises SourceUnavailable
        when the source does not answer."""
        ...

    async def before(self, host: str, since: float, until: float) -> Sequence[float]:
        """How high it was, at even intervals; empty without data. Raises SourceUnavailable."""
        ...
