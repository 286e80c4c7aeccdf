"""What a client asks for."""

from __future__ import annotations

import asyncio
import time

from .in_flight import InFlight
from .leading import Leading
from .metrics import Metrics
from .partition import Partition
from .refusal import Refusal

_AT_ONCE = 1000


class Serving:
    def __init__(self, leading: Leading, in_flight: InFlight, metrics: Metrics) -> None:
        self._leading, self._in_flight, self._metrics = leading, in_flight, metrics

    async def produce(self, partition: Partition, value: bytes) -> dict[str, object]:
        async with self._in_flight.one():
            with self._metrics.timed("produce"):
                offset = await self._leading.produce(partition, value)
        return {"partition": partition.name, "offset": offset}

    async def fetch(self, partition: Partition, offset: int, wait: int) -> dict[str, object]:
        """What is committed from ``offset`` on, as soon as there is something; nothing after
        ``wait`` milliseconds, or when the node is told to stop."""
        if offset < 0:
            raise Refusal(400, "BAD_REQUEST", wants="offset=0 or more")
        async with self._in_flight.one():
            if wait:
                await self._something(partition, offset, wait / 1000)
            with self._metrics.timed("fetch"):
                end = min(partition.committed, offset + _AT_ONCE)
                entries = partition.log.read(offset, end)
        return {
            "partition": partition.name,
            "committed": partition.committed,
            "records": [
                {"offset": at, "value": entry.value.decode(errors="replace")}
                for at, entry in enumerate(entries, offset)
            ],
        }

    async def _something(self, partition: Partition, offset: int, limit: float) -> None:
        until = time.monotonic() + limit
        told = asyncio.create_task(self._in_flight.draining.wait())
        try:
            while partition.committed <= offset and (left := until - time.monotonic()) > 0:
                change = asyncio.create_task(partition.change(left))
                await asyncio.wait({change, told}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                if told.done():
                    return
        finally:
            told.cancel()
