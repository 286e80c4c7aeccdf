"""How many connections one command makes at the same time, and how many it holds.

A rollout over thousands of hosts works on a few at a time. A connection that nothing is done over
is closed when another one needs its place, and made again when it is next needed: nobody notices,
for nothing was under way.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

HELD = 200
"""Connections held at the same time, where nobody says otherwise: with the helper at the other end
each takes about 0.2 MB here and 10 MB there."""


class Holder(Protocol):
    """A transport that can give its connection up for a while."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way over it."""
        ...

    async def park(self) -> None:
        """Close the connection; the next use makes it again."""
        ...


class Held:
    """The connections of one command. More than ``limit`` are held only while all are in use."""

    def __init__(self, at_once: int, limit: int = HELD) -> None:
        self.making = asyncio.Semaphore(at_once)
        self._limit = limit
        self._open: dict[Holder, None] = {}

    async def make_room(self) -> None:
        """Park those that were not used for longest, until one more has its place."""
        while len(self._open) >= self._limit:
            idle = next((holder for holder in self._open if holder.idle), None)
            if idle is None:
                return
            del self._open[idle]
            await idle.park()

    def used(self, holder: Holder) -> None:
        """Opened, or used again: now the last to be parked."""
        self._open.pop(holder, None)
        self._open[holder] = None

    def closed(self, holder: Holder) -> None:
        """Closed by itself or by its host."""
        self._open.pop(holder, None)
