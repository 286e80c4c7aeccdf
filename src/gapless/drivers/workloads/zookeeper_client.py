"""One connection of a client of ZooKeeper, with a session: questions with answers, several
under way at once.

1. A session is asked for, and given by a majority of the ensemble. A server that is in no majority
   closes without a word.
2. Answers come in the order of the questions, each with the number of its own.
3. The end of the connection is the end of every question that is under way. The session is given
   back when it is closed; one that nobody could give back ends by itself.

Source: https://github.com/apache/zookeeper/blob/master/zookeeper-jute/src/main/resources/zookeeper.jute
"""

from __future__ import annotations

import asyncio
import itertools
import struct

from gapless.clock import within
from gapless.drivers.transports.base import Tls
from gapless.drivers.workloads.wire import connected
from gapless.prove.workload import NotDone

_SESSION = 30_000
"""Milliseconds without a word after which a session ends; servers may give less."""
_CLOSE = -11
_BYE = 1.0
_LONGEST = 1 << 20
_WORDS = {
    -4: "the connection to the ensemble is lost",
    -102: "not allowed",
    -112: "session expired",
}


class RefusedError(NotDone):
    """The server answered with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ZooKeeper refuses: {_WORDS.get(code, 'error')} ({code})")
        self.code = code


class ZooKeeperClient:
    """Made by ``ZooKeeperClient.of``; ``leaving`` is one that takes nothing new."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._listening: asyncio.Task[None] | None = None
        self.leaving = ""

    @classmethod
    async def of(cls, address: str, tls: Tls | None = None) -> ZooKeeperClient:
        """Connected, with a session. Raises NotDone, OSError."""
        client = cls(*await connected(address, tls))
        try:
            await client._enter(address)
        except BaseException:
            client._writer.transport.abort()
            raise
        client._listening = asyncio.create_task(client._listen())
        return client

    async def ask(self, kind: int, body: bytes) -> bytes:
        """What the answer holds. Raises NotDone."""
        if self.leaving:
            raise NotDone(self.leaving)
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send(struct.pack(">ii", number, kind) + body)
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """The session is given back, and nothing is under way any more."""
        if not self.leaving:
            try:
                async with within(_BYE):
                    await self.ask(_CLOSE, b"")
            except (NotDone, OSError):  # a TimeoutError is one
                pass  # it ends by itself
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        self._end("the connection is closed")

    async def _enter(self, address: str) -> None:
        self._send(struct.pack(">iqiq", 0, 0, _SESSION, 0) + text("\0" * 16) + b"\0")
        came = await self._answer()
        if len(came) < 8:
            raise NotDone(f"it is not ZooKeeper that listens on {address}")
        _, session = struct.unpack(">ii", came[:8])
        if session <= 0:
            raise NotDone(f"ZooKeeper on {address} gives no session")

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._answer())
        except (NotDone, OSError, struct.error) as error:
            self._end(f"the connection broke: {error}")

    def _take(self, came: bytes) -> None:
        number, _, code = struct.unpack(">iqi", came[:16])
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if code:
            future.set_exception(RefusedError(code))
        else:
            future.set_result(came[16:])

    def _end(self, why: str) -> None:
        self.leaving = why
        self._writer.transport.abort()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NotDone(why))

    def _send(self, data: bytes) -> None:
        self._writer.write(struct.pack(">i", len(data)) + data)

    async def _answer(self) -> bytes:
        try:
            (size,) = struct.unpack(">i", await self._reader.readexactly(4))
            if not 0 <= size <= _LONGEST:
                raise NotDone("it is not ZooKeeper that answers")
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise NotDone("the server closed") from None


def text(said: str) -> bytes:
    """With its length before it."""
    data = said.encode()
    return struct.pack(">i", len(data)) + data


def texts(came: bytes) -> list[str]:
    """All of a list of them. Raises NotDone."""
    try:
        (count,), place, found = struct.unpack(">i", came[:4]), 4, []
        for _ in range(count):
            (size,) = struct.unpack(">i", came[place : place + 4])
            found.append(came[place + 4 : place + 4 + size].decode())
            place += 4 + size
    except (struct.error, ValueError):
        raise NotDone(f"ZooKeeper answers nonsense: {came[:80]!r}") from None
    return found
