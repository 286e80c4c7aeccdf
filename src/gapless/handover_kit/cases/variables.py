"""Variables that hold what is none."""

from __future__ import annotations

import asyncio

from gapless.handover_kit.scene import OLD, Scene
from gapless.handover_kit.verdicts import Failed

_MISCONFIGURED = 78
_LIFE_LOCK = 30.0
"""A copy whose id is taken tries for 10 s."""
_BAD = (
    ("HANDOVER_PROTOCOL", "handover/2"),
    ("HANDOVER_DIR", "/nonexistent/folder"),
    ("HANDOVER_ID", "a/b"),
    ("HANDOVER_ID", ""),
    ("HANDOVER_EPOCH", "seven"),
    ("HANDOVER_ROLE", "boss"),
    ("HANDOVER_STARTED_AT", "yesterday"),
    ("HANDOVER_MAX_AGE", "long"),
    ("HANDOVER_LOCK", "nonsense://x"),
    ("HANDOVER_LOCK_WHEN", "sometimes"),
    ("HANDOVER_LOCK_FAIL", "ajar"),
    ("HANDOVER_LISTEN", "everywhere"),
    ("HANDOVER_BUFFER", "lots"),
)


async def bad_variables(scene: Scene) -> None:
    """Each by itself, and at last an id that is taken."""
    alive = await scene.one()
    before = _connections(scene)
    taken = asyncio.create_task(_refuses(scene, "HANDOVER_ID", OLD.id))
    try:
        for name, value in _BAD:
            await _refuses(scene, name, value)
        await taken
    finally:
        taken.cancel()
        await asyncio.gather(taken, return_exceptions=True)
    await alive.stays("ACTIVE", 0.2)
    _ = scene.gateway
    if _connections(scene) != before:
        raise Failed("a copy connected to the gateway before it looked at its variables")


async def _refuses(scene: Scene, name: str, value: str) -> None:
    copy = await scene.start("bot-3", 3, "auto", {name: value})
    status = await copy.ended(max(_LIFE_LOCK, scene.setting.patience))
    shown = f"{name}={value}"
    if status != _MISCONFIGURED:
        raise Failed(f"{shown}: ended with {status} instead of {_MISCONFIGURED}")
    if name not in copy.output:
        raise Failed(f"{shown}: ended, and does not name the variable; it wrote: {copy.output}")


def _connections(scene: Scene) -> int:
    return scene.gateway.connections if scene.setting.gateway_variable else 0
