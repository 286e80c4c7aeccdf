"""``gapless deploy`` hands the bot over: the real engine, and ``gapless run`` over each copy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from bench.handing import sequence
from bench.handing.rivals import Rival, until
from bench.handing.source import Source
from bench.handing.supervisor import BOT

CONFIG = """\
project: bots
hosts:
  here: {{transport: local, address: 127.0.0.1, sudo: false, state_dir: {root}/host}}
defaults: {{soak: 0s}}
services:
  bot:
    on: here
    process:
      gapless: {gapless}
      name: bot-{{slot}}
      command: {python} {bot}
      environment: {environment}
      settle: 0s
    handover: {{directory: {shared}, skew: {skew}ms, stable: 200ms, memory: 0}}
    release: {{directory: release, to: {root}/live}}
"""
_AGAIN = 0.2
_TRIES = 20
_NO_ROLLOUT = 2
_ENDED = (0, 3, 4, 5)
"""Done, or taken back: what the copies are is looked at afterwards."""


class Deployed(Rival):
    """Every handover is a deploy of one more version."""

    name: ClassVar[str] = "gapless deploy"
    has_lock: ClassVar[bool] = True

    def __init__(
        self, folder: Path, source: Source, variables: dict[str, str], skew: float
    ) -> None:
        super().__init__(folder, source, variables, skew)
        # a release in /dev/shm is refused
        self._root = Path(tempfile.mkdtemp(prefix="gapless-bench-"))
        self.shared = folder / "shared"
        self._environment = {
            **os.environ, "GAPLESS_STATE": str(self._root / "state"), "NO_COLOR": "1",
            "GAPLESS_RUN_DIR": str(self._root / "run"),
        }  # fmt: skip
        self.taken_back = 0

    async def start(self) -> None:
        (self._root / "release").mkdir()
        (self._root / "gapless.yaml").write_text(CONFIG.format(
            root=self._root, gapless=_program(), python=sys.executable, bot=BOT,
            environment=json.dumps(self.variables), shared=self.shared, skew=int(self.skew * 1000),
        ))  # fmt: skip
        self._publish(1)
        if await self._gapless("deploy"):
            raise RuntimeError(f"the first deploy failed\n{self.said[-4000:]}")
        await until("the first copy is active", self._is_settled)

    async def hand_over(self) -> None:
        self._next()
        self._publish(self._number)
        status = await self._gapless("deploy")
        for _ in range(_TRIES):
            if status not in (-signal.SIGKILL, _NO_ROLLOUT):
                break
            await asyncio.sleep(_AGAIN)
            # one that was killed before it had begun cannot be resumed
            status = await self._gapless("deploy" if status == _NO_ROLLOUT else "resume")
        if not await asyncio.to_thread(sequence.copies, self.shared):
            # the only copy was killed: nobody but its owner starts it again
            status = await self._gapless("deploy", "--force", "--reason", "it was killed")
        self.taken_back += status != 0
        try:
            await until("one copy is active", self._is_settled)
        except RuntimeError as error:
            raise RuntimeError(f"{error}; gapless said:\n{self.said[-4000:]}") from None

    async def close(self) -> None:
        for name in ("bot-a", "bot-b"):
            await self._run("run", "stop", name)
        await super().close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _publish(self, number: int) -> None:
        (self._root / "release" / "version").write_text(f"{number}\n")

    async def _gapless(self, verb: str, *words: str) -> int:
        """Its status. Raises RuntimeError where it ended as no rollout may end."""
        status = await self._run(verb, "--yes", *words)
        if status not in (*_ENDED, _NO_ROLLOUT, -signal.SIGKILL):
            raise RuntimeError(f"gapless {verb}: exit {status}\n{self.said[-4000:]}")
        return status

    async def _run(self, *words: str) -> int:
        self.orchestrator = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gapless", *words, cwd=self._root, env=self._environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await self.orchestrator.communicate()
        self.said = said.decode()
        assert self.orchestrator.returncode is not None
        return self.orchestrator.returncode

    async def _is_settled(self) -> bool:
        return await asyncio.to_thread(_one_is_active, self.shared)


def _program() -> str:
    return str(Path(sys.executable).with_name("gapless"))


def _one_is_active(shared: Path) -> bool:
    copies = sequence.copies(shared)
    return len(copies) == 1 and sequence.is_settled(shared)
