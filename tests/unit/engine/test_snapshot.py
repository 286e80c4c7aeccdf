"""What to go back to when the unit file was edited since systemd read it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.engine.context import InstanceContext
from gapless.engine.steps.snapshot import Snapshot
from gapless.model import Fence, InstanceState, Observation


@pytest.mark.parametrize("memory", [{}, {"last_good": None}])
def test_a_host_without_a_last_good_copy_gives_the_files_on_disk(memory: dict[str, Any]) -> None:
    found = RuntimeSnapshot.from_json({})

    async def recall(service: str) -> dict[str, Any]:
        return memory

    async def snapshot(transport: object, folder: str) -> RuntimeSnapshot:
        return found

    ctx = SimpleNamespace(
        folder="/x",
        fence=Fence("shop.api", "r1", 1),
        transport=SimpleNamespace(recall=recall),
        runtime=SimpleNamespace(snapshot=snapshot),
    )
    now = Observation(InstanceState.RUNNING, detail={"NeedDaemonReload": "yes"})
    kept = asyncio.run(Snapshot()._runtime(cast(InstanceContext, ctx), now))
    assert kept is found
