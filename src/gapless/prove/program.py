"""A command as a probe: it ends with 0, or the request failed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from gapless.prove.http import Answer

_WORDS = 200  # bytes of output that are kept


class Program:
    """Runs one program per request, in its own process group; a late one is killed as a whole."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._argv = argv

    async def ask(self, *, kept: bool) -> Answer:
        """Its exit status, and the first words it said; there are no connections to keep."""
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return Answer(*await _end(process))
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())

    def close(self) -> None:
        """Nothing is kept."""


async def _end(process: asyncio.subprocess.Process) -> tuple[int, bytes]:
    said = b""
    assert process.stdout is not None
    while part := await process.stdout.read(4096):
        said = (said + part)[:_WORDS]
    return await process.wait(), said
