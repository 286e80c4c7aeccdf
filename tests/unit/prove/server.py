"""A small HTTP server that can misbehave on order."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Server:
    """Answers each request as ``behave(number)`` says: ok, status, drop, reset, chunked, half."""

    def __init__(
        self, behave: Callable[[int], str] = lambda _: "ok", tls: ssl.SSLContext | None = None
    ) -> None:
        self.behave = behave
        self.delay = 0.0
        self.body = b'{"version": "v1"}'
        self.requests = self.connections = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self.hang_up()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/x?y=1"

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        self.requests += 1
        what = self.behave(self.requests)
        await asyncio.sleep(self.delay)
        await self.gate.wait()
        if what == "drop":
            return False
        if what == "reset":
            linger = struct.pack("ii", 1, 0)  # close with a reset
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        size = len(self.body)
        if what == "chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, size, 5):
                part = self.body[at : at + 5]
                writer.write(b"%x;x=y\r\n%s\r\n" % (len(part), part))
            writer.write(b"0\r\nTrailer: 1\r\n\r\n")
        elif what == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size + 9, self.body))
            return False
        else:
            status = what if what.isdigit() else "200"
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n\r\n".encode())
            writer.write(self.body)
        await writer.drain()
        return b"connection: close" not in head
