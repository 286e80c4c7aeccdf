"""Gives a partition without a leader one.

1. Its leader's lease is gone: from now on nobody leads it, in a new epoch.
2. While most nodes live, each living in-sync replica asks the others how long their logs are; the
   one with the newest entry and the longest log makes itself the leader. One that does not answer
   is waited for: it answers soon, or its lease ends.
3. Partition P is led first by node P % N + 1, for which others wait a while.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from .http_caller import Caller
from .metadata import Metadata
from .partition import Partition
from .settings import Settings

_LOOK = 0.05
_PATIENCE = 5.0
_Rank = tuple[int, int, bool, int]


class Electing:
    def __init__(self, settings: Settings, metadata: Metadata, caller: Caller) -> None:
        self._me, self._peers = settings.node_id, settings.peers
        self._metadata, self._caller = metadata, caller

    async def run(self) -> None:
        """For ever."""
        while True:
            for partition in self._metadata.partitions.values():
                with suppress(OSError):
                    await self._see_to(partition)
            await asyncio.sleep(_LOOK)

    async def _see_to(self, partition: Partition) -> None:
        record, live = partition.record, self._metadata.live
        if record.leader:
            if record.leader not in live and self._me in live:
                await self._metadata.change(partition, leader=0, epoch=record.epoch + 1)
        elif self._may_stand(partition) and await self._is_best(partition):
            isr = tuple(live.intersection(record.isr))
            await self._metadata.change(partition, leader=self._me, epoch=record.epoch + 1, isr=isr)

    def _may_stand(self, partition: Partition) -> bool:
        record, live = partition.record, self._metadata.live
        if self._me not in live.intersection(record.isr) or not self._metadata.has_quorum:
            return False
        waits = record.epoch == 0 and self._first(partition) not in live
        return not waits or time.monotonic() - self._metadata.since > _PATIENCE

    async def _is_best(self, partition: Partition) -> bool:
        """Among the living in-sync replicas, all of which answered."""
        others = self._metadata.live.intersection(partition.record.isr) - {self._me}
        theirs = await asyncio.gather(*(self._rank_of(node, partition) for node in others))
        return all(self._rank(self._me, partition, **position(partition)) > one for one in theirs)

    async def _rank_of(self, node: int, partition: Partition) -> _Rank:
        status, said = await self._caller.call(self._peers[node], f"/position/{partition.name}")
        if status != 200:
            raise ConnectionError(f"node {node} does not tell its position")
        return self._rank(node, partition, **said)

    def _rank(self, node: int, partition: Partition, epoch: int, end: int) -> _Rank:
        return (epoch, end, node == self._first(partition), -node)

    def _first(self, partition: Partition) -> int:
        nodes = sorted(self._peers)
        return nodes[partition.number % len(nodes)]


def position(partition: Partition) -> dict[str, int]:
    """How far this node is."""
    return {"epoch": partition.log.epoch_before(partition.log.end), "end": partition.log.end}
