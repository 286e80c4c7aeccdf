"""One connection of a client of RabbitMQ: messages published until they are confirmed, and taken.

1. It logs in, opens one channel, and has what it publishes confirmed there.
2. A confirmation names the number of one message, or of the last of several. One that no queue
   would have comes back before it is confirmed: it is refused.
3. A message that was got is told to ``taken`` before the server is told that it may forget it,
   also where nobody waits for it any more. So none is with nobody.
4. A channel that the server closes is the end of the connection, which is the end of everything
   that is under way.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from gapless.drivers.transports.base import Tls
from gapless.drivers.workloads import amqp
from gapless.drivers.workloads.wire import connected
from gapless.prove.workload import NotDone

_NOT_FOUND, _ABSENT = 404, "no queue"
"""One that is there, and led by nobody, is not found with other words."""
_LONGEST = 1 << 20
_CAPABLE = {"authentication_failure_close": True, "publisher_confirms": True, "basic.nack": True}
_DURABLE = 1 << 1
_MANDATORY = b"\x01"


class GoneError(NotDone):
    """There is no such queue."""


class RefusedLoginError(NotDone):
    """User or password are not taken."""


class RabbitClient:
    """Made by ``RabbitClient.of``; ``leaving`` is one that takes nothing new."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        taken: Callable[[str], None],
    ) -> None:
        self._reader, self._writer, self._taken = reader, writer, taken
        self._tags = itertools.count(1)
        self._published: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._asked: deque[tuple[amqp.Method, asyncio.Future[bool]]] = deque()
        self._listening: asyncio.Task[None] | None = None
        self.leaving = ""

    @classmethod
    async def of(
        cls,
        address: str,
        login: tuple[str, ...],
        taken: Callable[[str], None],
        tls: Tls | None = None,
    ) -> RabbitClient:
        """Connected and let in. Raises NotDone, OSError."""
        client = cls(*await connected(address, tls), taken)
        try:
            await client._enter(address, login)
        except BaseException:
            client._writer.transport.abort()
            raise
        client._listening = asyncio.create_task(client._listen())
        return client

    async def declare(self, queue: str, expires: int) -> None:
        """A quorum queue, gone by itself after so many milliseconds without use; harmless where it
        is there."""
        arguments = amqp.table({"x-queue-type": "quorum", "x-expires": expires})
        said = b"\0\0" + amqp.short(queue) + bytes([_DURABLE]) + arguments
        await self._ask(amqp.DECLARE, amqp.DECLARED, said)

    async def delete(self, queue: str) -> None:
        """With all that is in it; harmless where it is gone."""
        await self._ask(amqp.DELETE, amqp.DELETED, b"\0\0" + amqp.short(queue) + b"\0")

    async def publish(self, queue: str, text: str) -> None:
        """Returns when it is confirmed. Raises NotDone."""
        self._check()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tag = next(self._tags)
        self._published[tag] = (text, future)
        said = b"\0\0" + amqp.short("") + amqp.short(queue) + _MANDATORY
        self._writer.write(amqp.method(1, amqp.PUBLISH, said) + amqp.content(1, text.encode()))
        await future

    async def get(self, queue: str) -> bool:
        """Whether there was a message; ``taken`` is told of it. Raises GoneError, NotDone."""
        return await self._ask(amqp.GET, amqp.GOT, b"\0\0" + amqp.short(queue) + b"\0")

    async def close(self) -> None:
        """Nothing is under way any more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        self._end(NotDone("the connection is closed"))

    def _check(self) -> None:
        if self.leaving:
            raise NotDone(self.leaving)

    async def _ask(self, name: amqp.Method, answer: amqp.Method, said: bytes) -> bool:
        """Whether it was this answer; answers come in the order of the questions."""
        self._check()
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((answer, future))
        self._writer.write(amqp.method(1, name, said))
        return await future

    # -- to be let in -------------------------------------------------------------------------

    async def _enter(self, address: str, login: tuple[str, ...]) -> None:
        self._writer.write(amqp.HELLO)
        await self._wait(amqp.START, address)
        user, password = (login[0], login[-1]) if login else ("guest", "guest")
        words = amqp.long(f"\0{user}\0{password}".encode())
        about = amqp.table({"product": "gapless-prove", "capabilities": _CAPABLE})
        said = about + amqp.short("PLAIN") + words + amqp.short("en_US")
        self._writer.write(amqp.method(0, amqp.START_OK, said))
        channels, size, _ = struct.unpack(">HIH", await self._wait(amqp.TUNE, address))
        self._writer.write(amqp.method(0, amqp.TUNE_OK, struct.pack(">HIH", channels, size, 0)))
        self._writer.write(amqp.method(0, amqp.OPEN, amqp.short("/") + b"\0\0"))
        await self._wait(amqp.OPENED, address)
        self._writer.write(amqp.method(1, amqp.CHANNEL, b"\0"))
        await self._wait(amqp.CHANNEL_OPENED, address)
        self._writer.write(amqp.method(1, amqp.CONFIRM, b"\0"))
        await self._wait(amqp.CONFIRMED, address)

    async def _wait(self, wanted: amqp.Method, address: str) -> bytes:
        _, data = await self._frame()
        name, rest = amqp.parted(data)
        if name == amqp.CLOSED:
            closing = amqp.Closing.of(rest)
            kind = RefusedLoginError if closing.code == 403 else NotDone
            raise kind(f"RabbitMQ on {address} does not let us in: {closing.words}")
        if name != wanted:
            raise NotDone(f"it is not RabbitMQ that listens on {address}")
        return rest

    # -- what comes ---------------------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            while True:
                kind, data = await self._frame()
                if kind == amqp.METHOD:
                    await self._take(*amqp.parted(data))
        except NotDone as error:
            self._end(error)
        except (OSError, struct.error, IndexError, UnicodeError) as error:
            self._end(NotDone(f"the connection broke: {error}"))

    async def _take(self, name: amqp.Method, data: bytes) -> None:
        if name in (amqp.ACK, amqp.NACK):
            tag, several = struct.unpack(">QB", data[:9])
            self._confirm(tag, bool(several & 1), good=name == amqp.ACK)
        elif name == amqp.RETURNED:
            self._refuse(await self._body())
        elif name == amqp.GOT:
            self._taken(await self._body())
            self._writer.write(amqp.method(1, amqp.ACK, data[:8] + b"\0"))
            self._answered(name)
        elif name in (amqp.CHANNEL_CLOSED, amqp.CLOSED):
            closing = amqp.Closing.of(data)
            gone = closing.code == _NOT_FOUND and _ABSENT in closing.words
            kind = GoneError if gone else NotDone
            raise kind(f"RabbitMQ refuses: {closing.words}")
        else:
            self._answered(name)

    def _confirm(self, last: int, several: bool, *, good: bool) -> None:
        tags = [tag for tag in self._published if tag <= last] if several else [last]
        for tag in tags:
            if tag not in self._published:
                continue
            _, future = self._published.pop(tag)
            if future.done():
                continue
            if good:
                future.set_result(None)
            else:
                future.set_exception(NotDone("RabbitMQ does not confirm the message"))

    def _refuse(self, text: str) -> None:
        for said, future in self._published.values():
            if said == text and not future.done():
                future.set_exception(GoneError("no queue takes the message"))

    def _answered(self, name: amqp.Method) -> None:
        if not self._asked:
            return  # of a flow that nobody asked about
        wanted, future = self._asked.popleft()
        if not future.done():
            future.set_result(name == wanted)

    def _end(self, why: NotDone) -> None:
        self.leaving = str(why)
        self._writer.transport.abort()
        under_way: list[asyncio.Future[Any]] = [one[1] for one in self._published.values()]
        under_way += [one[1] for one in self._asked]
        for future in under_way:
            if not future.done():
                future.set_exception(why)
        self._published.clear()
        self._asked.clear()

    async def _body(self) -> str:
        _, header = await self._frame()
        size, body = amqp.size_of_body(header), b""
        while len(body) < size:
            body += (await self._frame())[1]
        return body.decode()

    async def _frame(self) -> tuple[int, bytes]:
        try:
            while True:
                kind, _, size = struct.unpack(">BHI", await self._reader.readexactly(7))
                if size > _LONGEST:
                    raise NotDone("it is not RabbitMQ that answers")
                data = await self._reader.readexactly(size + 1)
                if data[-1:] != amqp.END:
                    raise NotDone("it is not RabbitMQ that answers")
                if kind != amqp.HEARTBEAT:
                    return kind, data[:-1]
        except asyncio.IncompleteReadError:
            raise NotDone("the server closed") from None
