"""A client that writes one key after the other to a cluster, and knows what was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gapless.testing.cluster_rig import ClusterRig, Unwritten, special, until

_SOME = 10


@asynccontextmanager
async def writing(rig: ClusterRig) -> AsyncIterator[list[str]]:
    """What was acknowledged, while a client writes; it has begun when the body does."""
    acknowledged: list[str] = []
    over = asyncio.Event()
    writer = asyncio.create_task(_write(rig, acknowledged, over))
    try:
        await more(acknowledged)
        yield acknowledged
    finally:
        over.set()
        await writer


async def _write(rig: ClusterRig, acknowledged: list[str], over: asyncio.Event) -> None:
    """One key after the other, each until it is acknowledged."""
    client = uuid.uuid4().hex
    for number in itertools.count():
        key = f"{client}-{number}"
        while not over.is_set():
            try:
                await special(rig).write(key)
            except Unwritten:
                await asyncio.sleep(0.02)
                continue
            acknowledged.append(key)
            break
        if over.is_set():
            return
        await asyncio.sleep(0.005)


async def more(acknowledged: list[str]) -> None:
    """Wait until writes have gone on."""
    goal = len(acknowledged) + _SOME

    async def missing() -> str:
        left = goal - len(acknowledged)
        return f"{left} more" if left > 0 else ""

    await until(missing, "writes are acknowledged")
