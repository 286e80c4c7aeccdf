"""One partition as a node knows it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from .log import Log
from .record import Record


@dataclass
class Position:
    """How far a follower told its leader that it is."""

    end: int
    silent: int = 0
    """How often the leader has looked since. It does not count seconds: one that was held up itself
    would find that nobody had asked for long."""


class Partition:
    def __init__(self, topic: str, number: int, log: Log) -> None:
        self.topic, self.number, self.log = topic, number, log
        self.name = f"{topic}-{number}"
        self.record = Record(0, 0, ())
        self.widest: tuple[int, ...] = ()
        """The most in-sync replicas that this process has seen."""
        self.committed = 0
        """Offsets below are on all in-sync replicas, as far as this node knows."""
        self.positions: dict[int, Position] = {}
        """Of the followers in this epoch, where this node leads."""
        self.told: dict[int, int] = {}
        """Ends of the others' logs, as the leader said when it was last asked."""
        self.joining: set[int] = set()
        """They may be in sync in etcd already, so what they do not have is not committed."""
        self.moving = False
        """Its leadership is just being handed over."""
        self.tracked = False
        """This process has committed a write as its leader."""
        self._changed = asyncio.Event()

    def accept(self, record: Record) -> None:
        """What etcd says, unless it is older than what is known."""
        if record.revision <= self.record.revision:
            return
        if record.epoch != self.record.epoch:
            self.positions = {}
            self.joining = set()
            self.moving = False
        self.record = record
        self.widest = max(self.widest, record.isr, key=len)
        self.wake()

    def truncate(self, end: int) -> None:
        self.log.truncate(end)
        self.committed = min(self.committed, end)

    def commit(self, end: int) -> None:
        if end > self.committed:
            self.committed = end
            self.wake()

    def wake(self) -> None:
        """Who waits for a change looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self, limit: float) -> None:
        """The next one, or the limit."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._changed.wait()
