"""A program that gets each event as JSON on its standard input."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import ClassVar

from gapless.drivers.sinks.base import SinkError
from gapless.events.event import Event

DEADLINE = 10.0
"""Seconds the program has for one event."""


class CommandSink:
    """Runs the program once per event, without a shell."""

    spooled: ClassVar[bool] = False

    def __init__(self, argv: tuple[str, ...], deadline: float = DEADLINE) -> None:
        self._argv = argv
        self._deadline = deadline

    @property
    def name(self) -> str:
        """Kind and program; its arguments may be private."""
        return f"command {self._argv[0]}"

    @property
    def deadline(self) -> float:
        """Seconds the program has."""
        return self._deadline

    async def deliver(self, event: Event) -> None:
        """Run it and wait for its end; its whole process group ends with a cancelled wait."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise SinkError(f"{self._argv[0]}: {error.strerror}") from None
        try:
            _, stderr = await process.communicate(event.to_line().encode() + b"\n")
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            said = stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SinkError(f"status {process.returncode}{': ' if said else ''}{''.join(said)}")

    def learn(self, event: Event) -> None:
        """Nothing to know."""
