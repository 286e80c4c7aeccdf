"""Asks other servers over connections that stay open."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Caller:
    """A call that gets no answer raises OSError. Nothing is tried a second time: whoever asks knows
    whether it may be."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)

    async def call(
        self, address: str, path: str, said: object = None, *, limit: float = 1.0
    ) -> tuple[int, Any]:
        """Status and what was answered; a POST where something is said."""
        try:
            async with asyncio.timeout(limit):
                return await self._call(address, path, said)
        except EOFError as error:
            raise ConnectionError(f"{address} hung up") from error
        except TimeoutError as error:  # not to be taken for the limit of whoever asks
            raise ConnectionError(f"{address} does not answer") from error

    async def _call(self, address: str, path: str, said: object) -> tuple[int, Any]:
        idle = self._idle[address]
        reader, writer = idle.pop() if idle else await _connect(address)
        try:
            writer.write(_packed(address, path, said))
            answer = await _read(reader)
        except BaseException:
            writer.close()
            raise
        idle.append((reader, writer))
        return answer

    def close(self) -> None:
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()


async def _connect(address: str) -> _Connection:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


def _packed(address: str, path: str, said: object) -> bytes:
    method, body = ("GET", b"") if said is None else ("POST", json.dumps(said).encode())
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = await _chunks(reader)
    return int(head[0].split()[1]), json.loads(body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """etcd answers so where the call is a stream."""
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
