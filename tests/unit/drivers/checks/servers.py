"""Real servers of metrics and journals, each a process of its own that ends with its test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest


def need(*programs: str, package: str) -> None:
    """Skip without the programs, unless everything has to run."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        reason = f"{', '.join(missing)} is not installed (apt-get install {package})"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(reason)
        pytest.skip(reason)


async def until(holds: Callable[[], Awaitable[bool]], what: str, patience: float = 20.0) -> None:
    end = time.monotonic() + patience
    while not await holds():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


class Process:
    """A program in a folder, with its output in a file."""

    def __init__(self, folder: Path, *argv: str, env: dict[str, str] | None = None) -> None:
        self._out = folder / f"{Path(argv[0]).name}.out"
        with self._out.open("ab") as out:
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
            )

    def wait_for(self, address: str, port: int, patience: float = 20.0) -> None:
        """Until it listens there."""
        end = time.monotonic() + patience
        while True:
            assert self._process.poll() is None, self._out.read_text()[-2000:]
            assert time.monotonic() < end, self._out.read_text()[-2000:]
            with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
                return
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Door:
    """A port of a test's own before a server that tests share: it can be closed, or lead to
    somebody who talks rubbish."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server: asyncio.Server | None = None
        self._rubbish: Answers | None = None
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._rubbish is not None:
            await self._rubbish.stop()

    async def lead_to(self, text: str) -> None:
        """From now on this is all that is answered."""
        await self.close()
        self._rubbish = Answers(lambda *_: (200, text))
        await self._rubbish.start("127.0.0.1", self.port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        await asyncio.gather(copy(reader, back), copy(there, writer))


class Answers:
    """A small HTTP server: each request's method, path and body become a status and a body."""

    def __init__(self, answer: Callable[[str, str, str], tuple[int, str]]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self.port = 0
        self.headers: list[str] = []

    async def start(
        self, address: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = await asyncio.start_server(self._serve, address, port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.headers.append(head)
            lines = head.lower().split("\r\n")
            length = next(
                (int(x.split(":")[1]) for x in lines if x.startswith("content-length")), 0
            )
            body = (await reader.readexactly(length)).decode()
            method, path, _ = head.split(" ", 2)
            status, text = self._answer(method, path, body)
            raw = text.encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n"
                "Content-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
