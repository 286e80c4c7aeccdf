"""What a node does for the partitions that it leads.

1. A write goes to the log and waits until it is committed: until every in-sync replica has asked
   for what comes after it.
2. A follower's question says how far it is. One that is in sync but has less than what is
   committed was killed and forgot: it is taken out at once. One that is not and has reached the end
   is put in; from the moment that is tried, commits wait for it.
3. Who has not asked for a second is taken out.
4. Nothing is committed while there are fewer in-sync replicas than there must be.
5. A leadership is handed over to a follower that has everything; no writes are taken meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import suppress

from .log import Entry
from .metadata import Metadata
from .partition import Partition, Position
from .refusal import Refusal
from .settings import Lie, Settings

_LOOK = 0.1
_SILENT = 10
"""Looks."""
_WAIT = 0.2
"""How long a follower's question is kept when there is nothing new."""
_AT_ONCE = 1000
_WRITE_LIMIT = 5.0


class Leading:
    def __init__(self, settings: Settings, metadata: Metadata) -> None:
        self._me, self._settings, self._metadata = settings.node_id, settings, metadata

    async def produce(self, partition: Partition, value: bytes) -> int:
        """The offset, when all in-sync replicas have it."""
        self.check(partition)
        if partition.moving:
            raise Refusal(503, "LEADER_NOT_AVAILABLE")
        self._check_replicas(partition)
        epoch = partition.record.epoch
        offset = partition.log.append(Entry(epoch, value))
        self._commit(partition)
        partition.wake()
        until = time.monotonic() + _WRITE_LIMIT
        while partition.committed <= offset or partition.record.epoch != epoch:
            self.check(partition, epoch)
            self._check_replicas(partition)
            if time.monotonic() > until:
                raise Refusal(503, "REQUEST_TIMED_OUT")
            await partition.change(until - time.monotonic())
            self._commit(partition)
        partition.tracked = True
        return offset

    async def replicate(
        self, partition: Partition, node: int, epoch: int, start: int, last: int, known: int
    ) -> dict[str, object]:
        """For a follower whose log ends at ``start`` with an entry of epoch ``last``, and which
        knows ``known`` to be committed: what comes next, when there is something."""
        self.check(partition, epoch)
        log = partition.log
        if not log.agrees(start, last):
            await self._heard(partition, node, 0)
            return {"truncate": log.common(start, last)}
        await self._heard(partition, node, start)
        if start == log.end and known == partition.committed:
            await partition.change(_WAIT)
        self.check(partition, epoch)
        entries = log.read(start, start + _AT_ONCE)
        return {
            "entries": [[one.epoch, base64.b64encode(one.value).decode()] for one in entries],
            "committed": partition.committed,
            "ends": {self._me: log.end} | {n: one.end for n, one in partition.positions.items()},
        }

    async def keep_isr(self) -> None:
        """Take out who does not ask, for ever."""
        while True:
            for partition in self._metadata.led(self._me):
                with suppress(OSError):
                    await self._take_out_silent(partition)
            await asyncio.sleep(_LOOK)

    async def transfer(self, partition: Partition, target: int, limit: float) -> None:
        """Raises Refusal, or TimeoutError at the limit."""
        self.check(partition)
        if target == self._me or target not in partition.record.isr:
            raise Refusal(409, "NOT_IN_SYNC", target=target)
        if self._settings.lie is Lie.STUB_TRANSFER:
            return
        partition.moving = True
        epoch = partition.record.epoch
        try:
            async with asyncio.timeout(limit):
                while self._end_of(partition, target) < partition.log.end:
                    await partition.change(limit)
                    self.check(partition, epoch)
                if not await self._metadata.change(partition, leader=target, epoch=epoch + 1):
                    raise Refusal(409, "CHANGED_MEANWHILE")
        finally:
            partition.moving = False

    def best_follower(self, partition: Partition) -> int:
        """The in-sync one with the highest applied index; 0 where there is none. Of several, the
        one that leads least."""
        living = self._metadata.live.intersection(partition.record.isr) - {self._me}

        def rank(node: int) -> tuple[int, int, int]:
            return (self._end_of(partition, node), -len(self._metadata.led(node)), -node)

        return max(living, key=rank, default=0)

    def check(self, partition: Partition, epoch: int | None = None) -> None:
        """That this node leads it, still in this epoch."""
        record = partition.record
        if not record.leader:
            raise Refusal(503, "LEADER_NOT_AVAILABLE")
        if record.leader != self._me:
            address = self._settings.peers[record.leader]
            raise Refusal(421, "NOT_LEADER", leader=record.leader, address=address)
        if epoch not in (None, record.epoch):
            raise Refusal(503, "LEADER_CHANGED")

    def _check_replicas(self, partition: Partition) -> None:
        if len(partition.record.isr) < self._settings.min_isr:
            raise Refusal(503, "NOT_ENOUGH_REPLICAS")

    async def _heard(self, partition: Partition, node: int, end: int) -> None:
        partition.positions[node] = Position(end)
        partition.wake()
        self._commit(partition)
        isr = set(partition.record.isr)
        if node in isr and end < partition.committed:
            await self._metadata.change(partition, isr=tuple(isr - {node}))
        elif node not in isr and end == partition.log.end and node in self._metadata.live:
            await self._put_in(partition, node)

    async def _put_in(self, partition: Partition, node: int) -> None:
        partition.joining.add(node)
        if not await self._metadata.change(partition, isr=(*partition.record.isr, node)):
            await self._metadata.look()
        # Without an answer it may be in sync after all: then this is not reached.
        partition.joining.discard(node)

    async def _take_out_silent(self, partition: Partition) -> None:
        isr = set(partition.record.isr)
        silent = set()
        for node in isr - {self._me}:
            place = partition.positions.setdefault(node, Position(0))
            place.silent += 1
            if place.silent > _SILENT:
                silent.add(node)
        if silent:
            await self._metadata.change(partition, isr=tuple(isr - silent))
            self._commit(partition)

    def _commit(self, partition: Partition) -> None:
        record = partition.record
        if len(record.isr) >= self._settings.min_isr:
            others = partition.joining.union(record.isr) - {self._me}
            ends = [self._end_of(partition, node) for node in others]
            partition.commit(min(ends, default=partition.log.end))

    def _end_of(self, partition: Partition, node: int) -> int:
        place = partition.positions.get(node)
        return place.end if place else 0
