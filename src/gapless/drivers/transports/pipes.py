"""A helper on this machine: a subprocess and its pipes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

_STDERR_KEPT = 8192
_EXIT_PATIENCE = 8.0


class ProcessStream:
    """The stdin, stdout and stderr of a local process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complaints = bytearray()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, argv: Sequence[str]) -> ProcessStream:
        """Start it in a session of its own, so that Ctrl-C in our terminal does not reach it."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, limit=1 << 20
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def read(self, count: int) -> bytes:
        """Some bytes, b"" at the end."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(count)

    async def read_exactly(self, count: int) -> bytes:
        """That many bytes; raises EOFError at the end."""
        assert self._process.stdout is not None
        return await self._process.stdout.readexactly(count)

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    async def drain(self) -> None:
        """Wait until the queue is short again."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # the reader notices the end
            await self._process.stdin.drain()

    async def close(self) -> None:
        """End its stdin, on which it ends itself and all it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_EXIT_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._process.kill()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def epitaph(self) -> tuple[int | None, str]:
        """Exit status and stderr."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._process.wait()
                await asyncio.shield(self._listening)
        return self._process.returncode, self._complaints.decode(errors="replace")

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            self._complaints += data
            del self._complaints[:-_STDERR_KEPT]
