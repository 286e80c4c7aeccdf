"""A server that answers what it is told to, one answer a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.ports import free_port


class Peer:
    """``answer`` makes of what was said what is answered; None is silence, b"" an end without a
    word. ``said`` are all questions."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.answer = answer
        self.said: list[bytes] = []
        self.port = free_port()
        self._server: asyncio.Server | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server
        self._server.close()
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        try:
            question = await reader.read(1 << 16)
            self.said.append(question)
            answer = self.answer(question)
            if answer is None:
                await asyncio.Event().wait()
            writer.write(answer or b"")
            await writer.drain()
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()


def http(status: int, body: str) -> bytes:
    """An answer."""
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return head.encode() + body.encode()
