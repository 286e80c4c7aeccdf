"""Starts copies of the bot, and starts again what dies: a service manager with Restart=on-failure.

Orchestrators are processes of their own that may be killed, so they ask by files: ``NAME.start``
holds the variables of a copy as JSON; when it is gone, the copy is not started again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from bench.results import ROOT

BOT = ROOT / "bench" / "handing" / "bot.py"
_LOOK = 0.01
_AGAIN = 0.1
_NEVER_AGAIN = (0, 75, 78)


class Supervisor:
    """``variables`` are those of every copy."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self._folder, self._variables = folder, variables
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.running: dict[str, asyncio.subprocess.Process] = {}

    def start(self) -> None:
        """Looks from now on."""
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Nothing runs any more."""
        tasks = [*self._lives.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _look(self) -> None:
        while True:
            for wanted in self._folder.glob("*.start"):
                if wanted.stem not in self._lives:
                    self._lives[wanted.stem] = asyncio.create_task(self._live(wanted))
            await asyncio.sleep(_LOOK)

    async def _live(self, wanted: Path) -> None:
        while wanted.exists():
            with (self._folder / "bots.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, str(BOT), stdin=asyncio.subprocess.DEVNULL, stdout=log,
                    stderr=log, env={**os.environ, **self._variables, **read(wanted)},
                )  # fmt: skip
            self.running[wanted.stem] = process
            status = await process.wait()
            del self.running[wanted.stem]
            if status in _NEVER_AGAIN:
                wanted.unlink(missing_ok=True)
                return
            await asyncio.sleep(_AGAIN)


def read(wanted: Path) -> dict[str, str]:
    """The variables of a copy; {} when it is not wanted any more."""
    try:
        found: dict[str, str] = json.loads(wanted.read_text())
    except FileNotFoundError:
        return {}
    return found


def want(folder: Path, name: str, variables: dict[str, str]) -> None:
    """Has a copy started and kept up."""
    fresh = folder / f".{name}"
    fresh.write_text(json.dumps(variables))
    fresh.rename(folder / f"{name}.start")


def forget(folder: Path, name: str) -> None:
    """It is not started again."""
    (folder / f"{name}.start").unlink(missing_ok=True)
