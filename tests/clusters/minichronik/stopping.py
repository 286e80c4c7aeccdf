"""The four stages of an orderly stop, in the words of the document.

1. Requests are drained; new ones are refused.
2. Each leadership goes to its best follower, and it is seen to that this node leads nothing.
3. The node follows nobody any more and is in sync nowhere; then its logs are written to disk.
4. The node is no member any more, and connections are closed.

A stage that reaches its limit says so, and the next one begins.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from .in_flight import InFlight
from .leading import Leading
from .metadata import Metadata
from .metrics import Metrics
from .partition import Partition
from .refusal import Refusal
from .settings import Lie, Settings


def say(line: str) -> None:
    """To whoever collects what this process prints."""
    print(line, flush=True)


class Stopping:
    def __init__(
        self,
        settings: Settings,
        metadata: Metadata,
        leading: Leading,
        in_flight: InFlight,
        metrics: Metrics,
        following: list[asyncio.Task[None]],
    ) -> None:
        self._me, self._settings = settings.node_id, settings
        self._metadata, self._leading, self._in_flight = metadata, leading, in_flight
        self._metrics, self._following = metrics, following
        self._moved = {"success": 0, "failed": 0}

    async def run(self) -> None:
        """Up to where connections are closed, which is for the caller."""
        self._start = time.monotonic()
        say(f"INFO Starting graceful shutdown for node {self._me}")
        say("INFO Step 1/4: Draining in-flight requests")
        await self._drain()
        say("INFO Step 2/4: Transferring leadership")
        await self._transfer()
        say("INFO Step 3/4: Syncing WAL to disk")
        await self._sync()
        say("INFO Step 4/4: Shutting down")

    def done(self) -> None:
        took = time.monotonic() - self._start
        self._metrics.stopped(took)
        moved = self._moved
        counts = f"{moved['success']} successful, {moved['failed']} failed"
        say(f"INFO Graceful shutdown complete in {took:.1f}s (transfers: {counts})")

    async def _drain(self) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.drain_limit):
                await self._in_flight.drain()
        except TimeoutError:
            count = self._in_flight.count
            say(f"WARN Drain timeout reached with {count} in-flight requests remaining")
        else:
            say(f"INFO All in-flight requests drained in {_ms(start)}ms")

    async def _transfer(self) -> None:
        until = time.monotonic() + self._settings.transfer_limit
        led = self._metadata.led(self._me)
        if not led:
            say("INFO No partitions where we're the leader, skipping transfer")
            return
        say(f"INFO Found {len(led)} partitions where we're the leader")
        for partition in led:
            result = "success" if await self._move(partition, until) else "failed"
            self._moved[result] += 1
            self._metrics.transfers[result] += 1
        await self._verify()

    async def _move(self, partition: Partition, until: float) -> bool:
        name, start = partition.name, time.monotonic()
        target = self._leading.best_follower(partition)
        if not target:
            say(f"WARN Leadership transfer failed for {name}: no follower in ISR")
            return False
        say(f"INFO Transferring leadership for {name} to node {target}")
        try:
            await self._leading.transfer(partition, target, max(0.0, until - start))
        except TimeoutError:
            limit = self._settings.transfer_limit
            say(f"WARN Leadership transfer timeout for {name} after {limit:g}s")
            return False
        except (Refusal, OSError) as error:
            say(f"WARN Leadership transfer failed for {name}: {error}")
            return False
        say(f"INFO Successfully transferred leadership for {name} in {_ms(start)}ms")
        return True

    async def _verify(self) -> None:
        """A stub does not."""
        if self._settings.lie is Lie.STUB_TRANSFER:
            return
        with suppress(OSError):
            await self._metadata.look()
        if led := self._metadata.led(self._me):
            names = ", ".join(one.name for one in led)
            say(f"WARN Still the leader of {len(led)} partitions: {names}")

    async def _sync(self) -> None:
        try:
            async with asyncio.timeout(self._settings.sync_limit):
                await self._leave()
                for partition in self._metadata.partitions.values():
                    await partition.log.flush()
                    partition.log.close()
        except TimeoutError:
            say(f"WARN WAL sync timeout after {self._settings.sync_limit:g}s")
        else:
            say("INFO WAL sync complete")

    async def _leave(self) -> None:
        """Nobody has to wait for this node from now on. Without an answer of etcd its leaders find
        out for themselves: the logs are to be written all the same."""
        for following in self._following:
            following.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for partition in self._metadata.partitions.values():
            with suppress(OSError):
                while self._is_waited_for(partition):
                    isr = tuple(set(partition.record.isr) - {self._me})
                    if not await self._metadata.change(partition, isr=isr):
                        await self._metadata.look()

    def _is_waited_for(self, partition: Partition) -> bool:
        return self._me in partition.record.isr and partition.record.leader not in (0, self._me)


def _ms(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
