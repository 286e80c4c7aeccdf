"""What all nodes agree on, in etcd: who lives, and who leads what.

1. A node is alive while its lease is: the key ``nodes/ID`` goes with it.
2. ``partitions/NAME`` is a Record. Whoever changes it says which one it saw.
3. ``leader`` names the node that leads the cluster: it means nothing here but is asked for.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from .etcd import Etcd, Found
from .partition import Partition
from .record import Record, unpacked
from .settings import Settings

_FOLDER = "/minichronik/"
_TTL = 1
_KEEP = 0.25
_LOOK = 0.05


class Metadata:
    """As it was a moment ago."""

    def __init__(self, settings: Settings, etcd: Etcd, partitions: list[Partition]) -> None:
        self._me, self._settings, self._etcd = settings.node_id, settings, etcd
        self.partitions = {partition.name: partition for partition in partitions}
        self.live: set[int] = set()
        self.leader = 0
        self.since = time.monotonic()
        self._lease = 0

    @property
    def has_quorum(self) -> bool:
        return len(self.live) >= self._settings.quorum

    @property
    def is_led(self) -> bool:
        """Every partition, by a node that lives."""
        return self.has_quorum and all(
            partition.record.leader in self.live for partition in self.partitions.values()
        )

    def led(self, node: int) -> list[Partition]:
        return [one for one in self.partitions.values() if one.record.leader == node]

    async def enter(self) -> None:
        """Make the partitions that are missing, and be alive from now on.

        What this node led when it was killed it does not lead any more: its log may be shorter than
        it was, and the others must have their say.
        """
        nobody = Record(0, 0, tuple(self._settings.peers)).packed()
        for name in self.partitions:
            await self._etcd.swap(f"{_FOLDER}partitions/{name}", 0, nobody)
        await self.look()
        while led := self.led(self._me):
            for partition in led:
                await self.change(partition, leader=0, epoch=partition.record.epoch + 1)
            await self.look()
        await self._be_alive()

    async def leave(self) -> None:
        """At once, unless it still leads something: that is found out when its lease ends."""
        if self._lease and not self.led(self._me):
            await self._etcd.end(self._lease)

    async def look(self) -> None:
        found = await self._etcd.folder(_FOLDER)
        self.live = {int(key.rpartition("/")[2]) for key in found if key.startswith(_FOLDER + "n")}
        for name, partition in self.partitions.items():
            value, revision = found[f"{_FOLDER}partitions/{name}"]
            partition.accept(unpacked(value, revision))
        await self._lead_cluster(found.get(_FOLDER + "leader"))

    async def change(self, partition: Partition, **fields: object) -> bool:
        """Whether the record was still the one that this node knows."""
        was = partition.record
        new = replace(was, **fields)  # type: ignore[arg-type]
        key = f"{_FOLDER}partitions/{partition.name}"
        revision = await self._etcd.swap(key, was.revision, new.packed())
        partition.accept(replace(new, revision=revision))
        return revision > 0

    async def follow(self) -> None:
        """Look, for ever."""
        while True:
            with suppress(OSError):
                await self.look()
            await asyncio.sleep(_LOOK)

    async def keep_alive(self) -> None:
        """For ever; who was held up for longer than its lease comes alive again."""
        while True:
            with suppress(OSError):
                if not await self._etcd.keep(self._lease):
                    await self._be_alive()
            await asyncio.sleep(_KEEP)

    async def _be_alive(self) -> None:
        self._lease = await self._etcd.lease(_TTL)
        await self._etcd.put(f"{_FOLDER}nodes/{self._me}", self._settings.listen, self._lease)

    async def _lead_cluster(self, found: Found | None) -> None:
        """Where nobody does."""
        self.leader = int(found.value) if found else 0
        if not found and self._me in self.live:
            await self._etcd.swap(_FOLDER + "leader", 0, str(self._me), self._lease)
