"""A client of ZooKeeper: nodes below one of its own, each made by a majority and read from the
server that it is connected to.

1. A server tells what it has, which may be behind. So each read begins with ``sync``: the server
   first takes all that its leader had acknowledged.
2. A node that is there already was made by an earlier attempt, whose answer was lost.
"""

from __future__ import annotations

import asyncio
import struct

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.workloads.kept import Kept
from gapless.drivers.workloads.zookeeper_client import RefusedError, ZooKeeperClient, text, texts
from gapless.prove.workload import NotDone

_CREATE, _DELETE, _GET, _CHILDREN, _SYNC = 1, 2, 4, 8, 9
_ABSENT, _EXISTS = -101, -110
_ANYBODY = struct.pack(">ii", 1, 31) + text("world") + text("anyone")
_LASTS = struct.pack(">i", 0)
_ANY_VERSION = struct.pack(">i", -1)
_UNWATCHED = b"\0"
_AT_ONCE = 50


class ZooKeeperWorkload:
    """See ``Workload``. ``node``: the name of its own."""

    kind = "zookeeper"
    removes = True

    def __init__(
        self, addresses: tuple[str, ...], node: str, tls: ApiTlsConfig | None = None
    ) -> None:
        self._kept: Kept[ZooKeeperClient] = Kept(addresses, self._opened)
        self._tls = tls
        self._node = f"/{node}"

    @property
    def place(self) -> str:
        """Its node with all below it."""
        return f"zkCli.sh deleteall {self._node}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._kept)

    async def prepare(self) -> None:
        """The node; harmless where it is there."""
        await self._create(self._node, "")

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by a majority."""
        await self._create(self._below(number), value)

    async def read(self, number: int) -> str | None:
        """As the leader has acknowledged it."""
        path = text(self._below(number))
        try:
            await self._ask(_SYNC, path)
            came = await self._ask(_GET, path + _UNWATCHED)
        except RefusedError as refused:
            if refused.code == _ABSENT:
                return None
            raise
        try:
            (size,) = struct.unpack(">i", came[:4])
            return came[4 : 4 + max(0, size)].decode()
        except (struct.error, ValueError):
            raise NotDone(f"ZooKeeper answers nonsense: {came[:80]!r}") from None

    async def clear(self) -> None:
        """The node and all below it."""
        try:
            await self._ask(_SYNC, text(self._node))
            below = texts(await self._ask(_CHILDREN, text(self._node) + _UNWATCHED))
        except RefusedError as refused:
            if refused.code == _ABSENT:
                return
            raise
        for at in range(0, len(below), _AT_ONCE):
            some = below[at : at + _AT_ONCE]
            await asyncio.gather(*(self._delete(f"{self._node}/{name}") for name in some))
        await self._delete(self._node)

    async def close(self) -> None:
        """The connections are closed."""
        await self._kept.close()

    async def _opened(self, address: str) -> ZooKeeperClient:
        return await ZooKeeperClient.of(address, tls_to(address, self._tls))

    async def _create(self, path: str, value: str) -> None:
        try:
            await self._ask(_CREATE, text(path) + text(value) + _ANYBODY + _LASTS)
        except RefusedError as refused:
            if refused.code != _EXISTS:
                raise

    async def _delete(self, path: str) -> None:
        try:
            await self._ask(_DELETE, text(path) + _ANY_VERSION)
        except RefusedError as refused:
            if refused.code != _ABSENT:
                raise

    async def _ask(self, kind: int, body: bytes) -> bytes:
        return await self._kept.asked(lambda client: client.ask(kind, body))

    def _below(self, number: int) -> str:
        return f"{self._node}/{number}"
