"""HTTP/1.1, as much of it as nodes and their clients need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from .refusal import Refusal


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes = b""

    def number(self, name: str, default: int | None = None) -> int:
        """One of the query that has to be a number."""
        text = self.query.get(name, "" if default is None else str(default))
        try:
            return int(text)
        except ValueError:
            raise Refusal(400, "BAD_REQUEST", wants=f"{name}=NUMBER") from None


@dataclass(frozen=True)
class Answer:
    said: object
    """Text is sent as it is, the rest as JSON."""
    status: int = 200


@dataclass
class Server:
    """Answers with ``handle`` until it is closed."""

    handle: Callable[[Request], Awaitable[Answer]]
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._server = await asyncio.start_server(self._talk, host, int(port))

    async def close(self) -> None:
        """Nobody is listened to any more."""
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    request = await _read(reader)
                    writer.write(_packed(await self._answer(request)))
                    await writer.drain()
                    if request.headers.get("connection", "").lower() == "close":
                        return
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self.handle(request)
        except Refusal as refusal:
            return Answer(refusal.said, refusal.status)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    url = urlsplit(target)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body)


def _packed(answer: Answer) -> bytes:
    plain = isinstance(answer.said, str)
    body = (str(answer.said) if plain else json.dumps(answer.said)).encode()
    kind = "text/plain; version=0.0.4" if plain else "application/json"
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
