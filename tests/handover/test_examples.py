"""The example programs speak the protocol, each by itself and with one another."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.handover_kit.copies import Copy
from gapless.handover_kit.scene import Scene, Setting
from tests.handover.node import NODE_WITH_SQLITE, needs_node, needs_node_with_sqlite
from tests.handover.playing import EXAMPLES, PYTHON_BOT, played, told
from tests.unit.handover.servers import redis_server

NODE_BOT = ("node", str(EXAMPLES / "bot.mjs"))
MIXED_BOT = (sys.executable, str(Path(__file__).with_name("mixed_bot.py")))
WITH_TWO = (
    "standby-handles-nothing",
    "activate-replays-buffer",
    "standby-told-to-end",
    "takeover",
    "old-hangs",
    "twice-the-same",
    "deactivate-finishes",
)


def test_the_bot_in_python() -> None:
    results = played(PYTHON_BOT)
    assert not told(results), told(results)


@needs_node
def test_the_bot_in_node() -> None:
    results = played(NODE_BOT, lock="dir")
    assert not told(results), told(results)


@needs_node
def test_one_copy_in_python_and_one_in_node_with_claims_in_a_folder() -> None:
    results = played(MIXED_BOT, *WITH_TWO, lock="dir")
    assert not told(results), told(results)


@needs_node
def test_one_copy_in_python_and_one_in_node_with_claims_in_redis() -> None:
    with redis_server() as server:
        results = played(MIXED_BOT, *WITH_TWO, lock=server.url.replace("db=0", "db=3"))
    assert not told(results), told(results)


@needs_node_with_sqlite
def test_one_copy_in_python_and_one_in_node_with_claims_in_sqlite() -> None:
    results = played(("env", f"NODE={NODE_WITH_SQLITE}", *MIXED_BOT), *WITH_TWO)
    assert not told(results), told(results)


BOTS = [PYTHON_BOT, pytest.param(NODE_BOT, marks=needs_node)]


def _one(
    argv: tuple[str, ...], lock: str, folder: Path, act: Callable[[Scene, Copy], Awaitable[None]]
) -> None:
    """Plays something of our own with one copy that is ACTIVE."""

    async def play() -> None:
        scene = Scene(Setting(argv, "GATEWAY", lock, 15.0), folder / "scene", LoopClock())
        try:
            await scene.open()
            await act(scene, await scene.one())
        finally:
            await scene.close()

    asyncio.run(play())


@pytest.mark.parametrize("argv", BOTS, ids=["python", "node"])
def test_a_broken_connection_is_resumed(argv: tuple[str, ...], tmp_path: Path) -> None:
    """What came meanwhile is delivered then, what was delivered has no second effect."""

    async def act(scene: Scene, copy: Copy) -> None:
        before = [f"before{number}" for number in range(4)]
        for event in before:
            scene.deliver(event, copy)
        await scene.once_each(*before)
        assert scene.gateway.hang_up(copy.name) == 2
        away = [f"away{number}" for number in range(4)]
        for event in away:
            scene.deliver(event, copy)
        await copy.until("without its units", lambda status: status["units_ready"] == 0)
        await copy.is_ready_as("ACTIVE")
        await scene.once_each(*before, *away)

    _one(argv, "dir", tmp_path, act)


@pytest.mark.parametrize("argv", BOTS, ids=["python", "node"])
def test_a_redis_that_dies_is_no_claim_that_was_lost(argv: tuple[str, ...], tmp_path: Path) -> None:
    with redis_server() as server:

        async def act(scene: Scene, copy: Copy) -> None:
            scene.deliver("before", copy)
            await scene.once_each("before")
            server.kill()
            scene.deliver("dead", copy)
            status = await copy.until("dropped it", lambda status: status["failed_closed"] == 1)
            assert (status["lock_errors"], status["claims_lost"]) == (1, 0)
            server.start()
            scene.deliver("after", copy)
            await scene.once_each("after")
            await scene.no_effect("dead")

        _one(argv, server.url, tmp_path, act)
