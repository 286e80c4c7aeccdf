"""The example bots, rolled by ``gapless deploy`` as their page says, under 500 events a second."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.handover_kit.gateway import Gateway
from tests.handover.node import needs_node
from tests.handover.playing import EXAMPLES

pytestmark = pytest.mark.timeout(400)

CLIENT = EXAMPLES.parents[1] / "clients" / "node" / "gapless-handover.mjs"
GAPLESS = Path(sys.executable).with_name("gapless")
LIMIT = 240.0
PATIENCE = 60.0


def _sender(gateway: Gateway) -> Any:
    spec = importlib.util.spec_from_file_location("example_gateway", EXAMPLES / "gateway.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Sender(gateway)


class Site:
    """The example's configuration, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release = folder / "release"
        self.release.mkdir()
        self._environment = {
            **os.environ, "GAPLESS_STATE": str(folder / "state"), "NO_COLOR": "1",
            "GAPLESS_RUN_DIR": str(folder / "run"),
        }  # fmt: skip

    def write(self, address: str, command: str, lock: str) -> None:
        text = (EXAMPLES / "gapless.yaml").read_text()
        for written, ours in (
            ("/tmp/handover-bot", str(self.folder)),
            ("127.0.0.1:9000", address),
            ("    process:\n", f"    process:\n      gapless: {GAPLESS}\n"),
            ("command: python3 bot.py", f"command: {command}"),
            ("      skew:", f"      lock: '{lock}'\n      skew:"),
        ):
            assert written in text
            text = text.replace(written, ours)
        (self.folder / "gapless.yaml").write_text(text)

    def publish(self, number: int) -> None:
        (self.release / "version").write_text(f"{number}\n")

    async def gapless(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gapless", *words, cwd=self.folder, env=self._environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def done(self, *words: str) -> str:
        status, said = await self.gapless(*words)
        assert status == 0, f"exit {status}\n{said}"
        return said

    async def close(self) -> None:
        for name in ("bot-a", "bot-b"):
            await self.gapless("run", "stop", name)

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(next(self.folder.rglob("state.json")).read_text())
        return found


def _play(folder: Path, prepare: Callable[[Site], str], lock: str) -> None:
    """A handover and one back, with events all the while."""

    async def play() -> None:
        site, gateway = Site(folder), Gateway(LoopClock(), lambda words: None)
        sender = _sender(gateway)
        address = await gateway.start()
        try:
            site.write(address, prepare(site), lock)
            site.publish(1)
            await site.done("deploy", "--yes")
            await _until("the first copy is connected", lambda: _are(gateway, 1))
            sending = asyncio.create_task(sender.send())
            site.publish(2)
            await site.done("deploy", "--yes")
            await site.done("rollback", "--yes")
            sender.ended = True
            await sending
            await _settled(sender)
        finally:
            await site.close()
            await gateway.close()
        assert sender.sent > 1000
        assert (site.state["phase"], site.state["lock"]) == ("done", False)
        assert len({copy for copy, _ in gateway.effects}) == 3

    asyncio.run(play())


async def _settled(sender: Any) -> None:
    """All events are due, and each had one effect; on a busy machine it may come late."""
    await asyncio.sleep(1.5)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while sender.wrong()[0]:
                await asyncio.sleep(0.05)
    lost, doubled = sender.wrong()
    assert (lost, doubled) == ([], []), f"of {sender.sent}"


async def _are(gateway: Gateway, count: int) -> bool:
    return len(gateway.copies) == count


async def _until(what: str, fits: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await fits():
            await asyncio.sleep(0.05)


def test_the_bot_in_python_is_rolled(tmp_path: Path) -> None:
    def prepare(site: Site) -> str:
        shutil.copy(EXAMPLES / "bot.py", site.release)
        return f"{sys.executable} bot.py"

    _play(tmp_path, prepare, "sqlite:")


@pytest.fixture
def memory() -> Iterator[Path]:
    """Claims belong into memory."""
    with tempfile.TemporaryDirectory(prefix="handover-", dir="/dev/shm") as folder:
        yield Path(folder)


@needs_node
def test_the_bot_in_node_is_rolled(tmp_path: Path, memory: Path) -> None:
    def prepare(site: Site) -> str:
        text = (EXAMPLES / "bot.mjs").read_text()
        there = "'../../clients/node/gapless-handover.mjs'"
        assert there in text
        (site.release / "bot.mjs").write_text(text.replace(there, "'./gapless-handover.mjs'"))
        shutil.copy(CLIENT, site.release)
        return "node bot.mjs"

    _play(tmp_path, prepare, f"dir://{memory}/claims")
