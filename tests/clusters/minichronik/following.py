"""Fetches what the leader of a partition has, for ever."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from .http_caller import Caller
from .log import Entry
from .partition import Partition
from .settings import Settings

_AGAIN = 0.05


class Following:
    def __init__(self, settings: Settings, caller: Caller) -> None:
        self._me, self._peers, self._caller = settings.node_id, settings.peers, caller

    async def run(self, partition: Partition) -> None:
        while True:
            if partition.record.leader in (0, self._me):
                await partition.change(_AGAIN)
            elif not await self._fetch(partition):
                await asyncio.sleep(_AGAIN)

    async def _fetch(self, partition: Partition) -> bool:
        """Whether there was an answer of its leader."""
        record, log = partition.record, partition.log
        query = (
            f"node={self._me}&epoch={record.epoch}&from={log.end}"
            f"&last={log.epoch_before(log.end)}&known={partition.committed}"
        )
        path = f"/replicate/{partition.name}?{query}"
        try:
            status, said = await self._caller.call(self._peers[record.leader], path)
        except OSError:
            return False
        if status != 200:
            return False
        if partition.record.epoch == record.epoch:  # otherwise it may lead itself by now
            _take(partition, said)
        return True


def _take(partition: Partition, said: dict[str, Any]) -> None:
    if "truncate" in said:
        partition.truncate(said["truncate"])
        return
    for epoch, value in said["entries"]:
        partition.log.append(Entry(epoch, base64.b64decode(value)))
    partition.told = {int(node): end for node, end in said["ends"].items()}
    partition.commit(min(said["committed"], partition.log.end))
