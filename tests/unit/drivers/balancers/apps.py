"""A small web application whose health and speed a test decides."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class App:
    """Answers its name; /health by ``healthy``; /hold when its gate opens."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.healthy = True
        self.served = 0
        self.holding = 0
        self.gate = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.gate.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            status = 200
            if path == b"/health":
                status = 200 if self.healthy else 503
            elif path == b"/hold":
                self.holding += 1
                await self.gate.wait()
                self.holding -= 1
            else:
                self.served += 1
            body = self.name.encode()
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


async def get(port: int, path: str, host: str = "127.0.0.1") -> str:
    """Body of a 200 answer, "" for every other."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        if b" 200 " in answer[:20]:
            return answer.partition(b"\r\n\r\n")[2].decode()
    return ""
