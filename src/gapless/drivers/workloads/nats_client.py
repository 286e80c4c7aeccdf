"""One connection of a client of NATS: questions with answers, several under way at once.

1. INFO comes first, in the clear; TLS begins right after it, or before it where servers have it so
   (``handshake_first``). What is said then is CONNECT, one inbox for all answers, and PING: PONG
   says that the server lets us in.
2. A server that is about to end says so in another INFO (``ldm``): the connection is not used for
   anything new then, as clients of NATS do.
3. The end of the connection is the end of every question that is under way.

Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Mapping
from typing import Any

from gapless.drivers.transports.base import Tls
from gapless.drivers.workloads.wire import connected, secured
from gapless.prove.workload import NotDone

_END = b"\r\n"
_NOBODY = "NATS/1.0 503"


class NatsClient:
    """Made by ``NatsClient.of``; ``leaving`` is one that takes nothing new."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._inbox = f"_INBOX.{secrets.token_hex(8)}"
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._listening: asyncio.Task[None] | None = None
        self.leaving = ""
        """Why nothing new is said here; "" where it may be."""

    @classmethod
    async def of(
        cls, address: str, login: tuple[str, ...], tls: Tls | None = None, *, first: bool = False
    ) -> NatsClient:
        """Connected and let in; ``first``: TLS begins before anything is said. Raises NotDone,
        OSError."""
        client = cls(*await connected(address, tls if first else None))
        try:
            info = await client._info(address)
            if not first:
                await client._secure(address, info, tls)
            await client._enter(address, login)
        except BaseException:
            client._writer.transport.abort()
            raise
        client._listening = asyncio.create_task(client._listen())
        return client

    async def ask(self, subject: str, data: bytes, header: bytes = b"") -> dict[str, Any]:
        """The answer, read as JSON. Raises NotDone."""
        if self.leaving:
            raise NotDone(self.leaving)
        inbox = f"{self._inbox}.{next(self._numbers)}"
        future = self._waiting[inbox] = asyncio.get_running_loop().create_future()
        sizes = f"{len(header)} {len(header) + len(data)}" if header else f"{len(data)}"
        verb = "HPUB" if header else "PUB"
        self._writer.write(f"{verb} {subject} {inbox} {sizes}\r\n".encode() + header + data + _END)
        try:
            reply = await future
        finally:
            self._waiting.pop(inbox, None)
        return _read(reply)

    async def close(self) -> None:
        """Nothing is under way any more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        self._end("the connection is closed")

    async def _info(self, address: str) -> Mapping[str, Any]:
        verb, _, rest = (await self._line()).partition(" ")
        if verb != "INFO":
            raise NotDone(f"it is not NATS that listens on {address}")
        info: Mapping[str, Any] = json.loads(rest)
        return info

    async def _enter(self, address: str, login: tuple[str, ...]) -> None:
        options: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "name": "gapless-prove",
            "lang": "python",
            "version": "1",
            "protocol": 1,
            "headers": True,
            "no_responders": True,
        }
        if login:
            options |= {"user": login[0], "pass": login[-1]}
        said = f"CONNECT {json.dumps(options)}\r\nSUB {self._inbox}.* 1\r\nPING\r\n"
        self._writer.write(said.encode())
        while (line := await self._line()) != "PONG":
            if line.startswith("-ERR"):
                raise NotDone(f"NATS on {address} does not let us in: {line[5:]}")

    async def _secure(self, address: str, info: Mapping[str, Any], tls: Tls | None) -> None:
        """Nothing is said before in the clear."""
        if tls is None:
            if info.get("tls_required"):
                raise NotDone(f"NATS on {address} wants TLS: say 'tls' of its workload")
            return
        if not info.get("tls_required") and not info.get("tls_available"):
            raise NotDone(f"NATS on {address} speaks no TLS")
        await secured(address, self._writer, tls)

    async def _listen(self) -> None:
        try:
            while True:
                await self._take(await self._line())
        except (NotDone, OSError, ValueError) as error:
            self._end(f"the connection broke: {error}")

    async def _take(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        if verb == "PING":
            self._writer.write(b"PONG\r\n")
        elif verb in ("MSG", "HMSG"):
            words = rest.split()
            body = (await self._exactly(int(words[-1]) + len(_END)))[: -len(_END)]
            future = self._waiting.get(words[0])
            if future is not None and not future.done():
                future.set_result(body)
        elif verb == "INFO" and json.loads(rest).get("ldm"):
            self.leaving = "the server is about to end"
        elif verb == "-ERR":
            raise NotDone(rest)

    def _end(self, why: str) -> None:
        self.leaving = why
        self._writer.transport.abort()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NotDone(why))

    async def _line(self) -> str:
        try:
            line = await self._reader.readuntil(_END)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise NotDone("the server closed") from None
        return line.decode("utf-8", "replace").strip()

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise NotDone("the server closed") from None


def _read(reply: bytes) -> dict[str, Any]:
    if reply.startswith(_NOBODY.encode()):
        raise NotDone("nobody answers for the stream")
    try:
        found = json.loads(reply)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotDone(f"NATS answers nonsense: {reply[:80]!r}")
    return found
