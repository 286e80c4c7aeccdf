"""The contract of what counts errors: logs, metrics, the balancer's own counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gapless.model import Instance


@dataclass(frozen=True, slots=True)
class Count:
    """What happened on one host between two moments.

    ``errors`` are incidents: the same message within two seconds is one. ``total`` requests they
    are a part of; None where only errors are counted and time is the exposure. ``seconds`` really
    covered, which is less than asked for where there is no older data. ``top`` holds the most
    frequent messages with their counts, ``unseen`` those of them that were never seen before.
    """

    errors: int
    seconds: float
    total: int | None = None
    top: tuple[tuple[str, int], ...] = ()
    unseen: tuple[tuple[str, int], ...] = ()


class RateSource(Protocol):
    """One way to count the errors of single hosts."""

    @property
    def name(self) -> str:
        """Short, for evidence: ``logs (error)``."""
        ...

    async def begin(self, hosts: Sequence[str]) -> None:
        """Called before the first of these hosts is changed, so that what can only be read now
        (cursors, counters without a history) is kept for the baseline."""
        ...

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """What was counted on the host in ``[since, until)``, seconds since the epoch. None where
        there is no data at all, which is neither good nor bad; raises SourceUnavailable when the
        source does not answer."""
        ...


@runtime_checkable
class CountsCopies(Protocol):
    """What a source can do besides that tells the two copies of an instance apart."""

    async def begin_copy(self, copy: Instance) -> None:
        """Called before it gets its first share of the traffic: what has no history counts from
        here on."""
        ...

    async def count_copy(self, copy: Instance, since: float, until: float) -> Count | None:
        """As ``RateSource.count``, of one copy alone."""
        ...
