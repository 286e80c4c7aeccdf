"""Who brings a new version of the bot in, again and again."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from bench.handing import sequence
from bench.handing.source import SHARDS, Source
from bench.handing.supervisor import Supervisor, forget, want
from bench.results import ROOT

_PATIENCE = 60.0
_LOOK = 0.01
_AGAIN = 0.1


class Rival:
    """``folder`` is empty; ``skew`` in seconds; ``variables`` are those of every copy."""

    name: ClassVar[str]
    has_lock: ClassVar[bool] = False

    def __init__(
        self, folder: Path, source: Source, variables: dict[str, str], skew: float
    ) -> None:
        self.folder, self.source, self.skew = folder, source, skew
        self.variables = variables
        self.shared = folder
        """``HANDOVER_DIR``, where there is one."""
        self.supervisor = Supervisor(folder, variables)
        self.orchestrator: asyncio.subprocess.Process | None = None
        self._number = 1

    @classmethod
    def missing(cls) -> str:
        """Why it cannot take part."""
        return ""

    async def start(self) -> None:
        """The first copy is connected."""
        self.supervisor.start()
        want(self.folder, "bot-1", {})
        await self._connected("bot-1")

    async def hand_over(self) -> None:
        """To a new copy; returns when the old one is gone."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing runs any more."""
        await self.supervisor.close()

    async def _connected(self, name: str) -> None:
        await until(f"{name} is connected", lambda: self._is_connected(name))

    async def _is_connected(self, name: str) -> bool:
        process = self.supervisor.running.get(name)
        return process is not None and self.source.shards_of(process.pid) == len(SHARDS)

    async def _end(self, name: str) -> None:
        forget(self.folder, name)
        process = self.supervisor.running[name]
        process.send_signal(signal.SIGTERM)
        await process.wait()

    def _next(self) -> tuple[str, str]:
        """Names of the old and the new copy."""
        self._number += 1
        return f"bot-{self._number - 1}", f"bot-{self._number}"


class StopFirst(Rival):
    """What a restart is."""

    name = "stop-first"

    async def hand_over(self) -> None:
        old, new = self._next()
        await self._end(old)
        want(self.folder, new, {})
        await self._connected(new)


class StartFirst(Rival):
    """Both handle events until the old one is told to end."""

    name = "start-first, no lock"

    async def hand_over(self) -> None:
        old, new = self._next()
        want(self.folder, new, {})
        await self._connected(new)
        await self._end(old)


class Sequenced(Rival):
    """The sequence of the page, by a program that does nothing else."""

    name = "the sequence by itself"
    has_lock = True
    lock: ClassVar[str] = "sqlite:"

    async def start(self) -> None:
        self.supervisor.start()
        sequence.first_state(self.folder, self.skew)
        want(self.folder, "bot-1", {
            "HANDOVER_DIR": str(self.folder), "HANDOVER_ID": "bot-1", "HANDOVER_EPOCH": "1",
            "HANDOVER_LOCK": self.lock,
        })  # fmt: skip
        await until("bot-1 is active", self._is_active)

    async def hand_over(self) -> None:
        while await self._orchestrate() == -signal.SIGKILL:
            await asyncio.sleep(_AGAIN)
        await until("the new copy is active", self._is_active)

    async def _orchestrate(self) -> int:
        self.orchestrator = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.handing.sequence", str(self.folder),
            f"{self.skew * 1000:g}", self.lock, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await self.orchestrator.communicate()
        status = self.orchestrator.returncode
        assert status is not None
        if status not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{self.name}: exit {status}\n{said.decode()[-2000:]}")
        return status

    async def _is_active(self) -> bool:
        return await asyncio.to_thread(sequence.is_settled, self.folder)


class StandbyWithoutLock(Sequenced):
    """The same with nobody who says which copy has an event."""

    name = "standby, no lock"
    has_lock = False
    lock = "none"


RIVALS: tuple[type[Rival], ...] = (StopFirst, StartFirst, StandbyWithoutLock)


async def until(what: str, fits: Callable[[], Awaitable[bool]]) -> None:
    """Raises RuntimeError when it does not come."""
    ends = time.monotonic() + _PATIENCE
    while not await fits():
        if time.monotonic() > ends:
            raise RuntimeError(f"not within {_PATIENCE:g} s: {what}")
        await asyncio.sleep(_LOOK)
