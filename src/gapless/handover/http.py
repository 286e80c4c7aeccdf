"""A small HTTP/1.1 server for control requests. Bodies are read and mean nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from http import HTTPStatus

from gapless.handover.control import Control, Reply

_LONGEST_HEAD = 8192
_LONGEST_BODY = 65536
_IDLE = 60.0


class _Unreadable(Exception):
    pass


class Server:
    """Listens on as many sockets as it is given."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()

    async def listen(self, listener: socket.socket) -> None:
        """Takes a socket that listens already."""
        # of unix sockets, too: asyncio's own way removes a file whose name it does not know
        self._servers.append(
            await asyncio.start_server(self._serve, sock=listener, limit=_LONGEST_HEAD)
        )

    async def close(self) -> None:
        """Answers what was asked, for a moment."""
        for server in self._servers:
            server.close()
        # what is being answered is answered to the end
        if self._open:
            await asyncio.wait(self._open, timeout=0.2)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        except asyncio.CancelledError:
            # close() ends who idles; of a cancelled task asyncio's streams print a traceback
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another one may follow."""
        try:
            async with asyncio.timeout(_IDLE):
                method, target, lasting = await _request(reader)
        except (_Unreadable, asyncio.LimitOverrunError, ValueError) as error:
            writer.write(_bytes(Reply(400, {"error": "request", "why": str(error)}), lasting=False))
            await writer.drain()
            return False
        reply = await self._control.answer(method, target)
        writer.write(_bytes(reply, lasting=lasting))
        await writer.drain()
        return lasting


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise _Unreadable("the first line is not that of HTTP/1.1")
    headers = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(":") for line in lines)
    }
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length) > _LONGEST_BODY:
        raise _Unreadable("the body is too long")
    if "transfer-encoding" in headers:
        raise _Unreadable("the body must have a Content-Length")
    await reader.readexactly(int(length))
    wish = headers.get("connection", "keep-alive" if words[2] == "HTTP/1.1" else "close")
    return words[0], words[1], wish != "close"


def _bytes(reply: Reply, *, lasting: bool) -> bytes:
    body = json.dumps(reply.body).encode()
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Connection: {'keep-alive' if lasting else 'close'}\r\n\r\n"
    )
    return head.encode() + body
