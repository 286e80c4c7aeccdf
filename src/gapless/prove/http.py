"""A small HTTP/1.1 client for one URL, new connections or kept alive; TLS is verified."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

_KEEP = 64 * 1024  # of a body; the rest is read and dropped
_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; of the body at most the first 64 KiB."""

    status: int
    body: bytes


class BrokenError(Exception):
    """There was no complete answer; the text says how far it came."""


class Asker(Protocol):
    """Asks once."""

    async def ask(self, *, kept: bool) -> Answer:
        """Ask on a new connection, or on one kept alive. Raises BrokenError or OSError."""
        ...

    def close(self) -> None:
        """Give back what is idle."""
        ...


class Client:
    """GETs one URL. A reset after a request was sent is an error, never retried."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        netloc = parts.netloc.rpartition("@")[2]
        self._request = f"GET {target} HTTP/1.1\r\nHost: {netloc}\r\nUser-Agent: gapless-prove\r\n"
        self._idle: list[_Connection] = []

    async def ask(self, *, kept: bool) -> Answer:
        """One request; with ``kept`` on a connection kept alive if one is still open."""
        connection = (self._take_idle() if kept else None) or await self._open()
        wish = "keep-alive" if kept else "close"
        try:
            answer, reusable = await connection.ask(
                f"{self._request}Accept: */*\r\nConnection: {wish}\r\n\r\n".encode()
            )
        except BaseException:
            connection.close()
            raise
        if kept and reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    async def _open(self) -> _Connection:
        return _Connection(
            *await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=_READ)
        )

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        return None


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def is_open(self) -> bool:
        """Whether the server has not closed it: an idle connection has nothing to be read."""
        if self._reader.at_eof() or self._writer.is_closing():
            return False
        # The event loop may not have seen the end yet; the kernel knows.
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    async def ask(self, request: bytes) -> tuple[Answer, bool]:
        """The answer, and whether the connection can take another request."""
        self._writer.write(request)
        try:
            return await self._answer()
        except asyncio.IncompleteReadError as error:
            how = "in the middle of" if error.partial else "before"
            raise BrokenError(f"connection closed {how} the answer") from None
        except (asyncio.LimitOverrunError, ValueError, IndexError) as error:
            raise BrokenError(f"not an HTTP answer: {error}") from None

    async def _answer(self) -> tuple[Answer, bool]:
        status, version, headers = await self._head()
        while 100 <= status < 200:  # early hints and the like precede the answer
            status, version, headers = await self._head()
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        measured = chunked or "content-length" in headers or status in (204, 304)
        wish = headers.get("connection", "").lower()
        reusable = measured and version == "HTTP/1.1" and "close" not in wish
        if status in (204, 304):
            return Answer(status, b""), reusable
        return Answer(status, await self._body(headers, chunked=chunked)), reusable

    async def _head(self) -> tuple[int, str, Mapping[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        version, status = first.split(" ", 2)[:2]
        if not version.startswith("HTTP/1."):
            raise ValueError(first[:80])
        pairs = (line.partition(":") for line in lines)
        return int(status), version, {name.lower(): value.strip() for name, _, value in pairs}

    async def _body(self, headers: Mapping[str, str], *, chunked: bool) -> bytes:
        if chunked:
            return await self._chunks()
        if "content-length" in headers:
            return await self._exactly(int(headers["content-length"]))
        return await self._to_the_end()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self._line()).split(b";")[0], 16):
            body = (body + await self._exactly(size))[:_KEEP]
            await self._reader.readexactly(2)
        while await self._line():  # trailers, up to the empty line
            pass
        return body

    async def _line(self) -> bytes:
        return (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")

    async def _exactly(self, size: int) -> bytes:
        body = b""
        while size > 0:
            part = await self._reader.read(min(size, _READ))
            if not part:
                raise BrokenError("connection closed in the middle of the answer")
            size -= len(part)
            body = (body + part)[:_KEEP]
        return body

    async def _to_the_end(self) -> bytes:
        body = b""
        while part := await self._reader.read(_READ):
            body = (body + part)[:_KEEP]
        return body

    def close(self) -> None:
        with suppress(OSError, RuntimeError):
            self._writer.transport.abort()
