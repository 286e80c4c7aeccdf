"""Copies that are killed, that hang, and that come back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gapless.handover_kit.copies import Copy, Status
from gapless.handover_kit.scene import NEW, OLD, Scene
from gapless.handover_kit.verdicts import Failed

_SOON = 1.0
"""Seconds in which a takeover must be over."""
_OBSOLETE = 75
_SHORT_BUFFER = {"HANDOVER_BUFFER": "1"}


async def takeover(scene: Scene) -> None:
    """It dies with events that only the standby got."""
    old, new = await scene.two()
    handled = await _handled_by_both(scene, old, new)
    late = ["late1", "late2", "late3"]
    if handled:
        for event in late:
            scene.deliver(event, new)
        await scene.kept(new, len(handled) + len(late))
    await old.kill()
    await _takes_over(new)
    await scene.once_each(*handled, *late)


async def old_hangs(scene: Scene) -> None:
    """Events reach it, and it does nothing; then it is killed."""
    old, new = await scene.two()
    handled = await _handled_by_both(scene, old, new)
    old.stop()
    late = ["late1", "late2", "late3"]
    for event in late:
        scene.deliver(event, old, new)
    await scene.kept(new, len(handled) + len(late))
    await new.stays("STANDBY", 0.3)
    await old.kill()
    await _takes_over(new)
    await scene.once_each(*handled, *late)


async def _handled_by_both(scene: Scene, old: Copy, new: Copy) -> list[str]:
    """Events that are done, and that the standby keeps."""
    _ = scene.gateway
    events = ["done1", "done2", "done3"]
    for event in events:
        scene.deliver(event, old, new)
    await scene.once_each(*events)
    await old.until("idle", lambda status: status["inflight"] == 0)
    return events


async def _takes_over(new: Copy) -> None:
    status = await new.becomes("ACTIVE", _SOON)
    if not status["took_over"]:
        raise Failed(f"{new.name} took over, and does not say so")
    if not status["lock"]:
        raise Failed(f"{new.name} took over with the lock off: what it kept may be handled already")


async def takeover_before_ready(scene: Scene) -> None:
    """The new copy is not let in yet, or with one unit alone, when the old one dies."""
    gateway = scene.gateway
    old = await scene.one()
    some = int((await old.is_ready_as("ACTIVE"))["units_total"] > 1)
    gateway.hold(NEW.id, some)
    new = await scene.start_new(_SHORT_BUFFER)
    await new.until("BOOTING", lambda status: _boots(status, some))
    await old.kill()
    early = ["early1", "early2"] if some else []
    for event in early:
        scene.deliver(event, new)
    await scene.kept(new, len(early))
    # nobody stands in for it any more, so it keeps them for longer than its buffer
    await new.stays("BOOTING", 1.5)
    answer = await new.ask("GET", "/readyz")
    if answer.status != 503:
        raise Failed(f"{new.name} is not connected, and says it is ready")
    gateway.let_in(NEW.id)
    await new.is_ready_as("ACTIVE")
    scene.deliver("after", new)
    await scene.once_each(*early, "after")


def _boots(status: Status, units_ready: int) -> bool:
    return bool(status["state"] == "BOOTING" and status["units_ready"] == units_ready)


async def old_revived(scene: Scene) -> None:
    """Its supervisor starts it again after the handover."""
    scene.write("done", NEW, None, lock=False)
    new = await scene.start(NEW.id, NEW.epoch, "auto")
    await new.is_ready_as("ACTIVE")
    before = _connections(scene)
    for role in ("auto", "active"):
        revived = await scene.start(OLD.id, OLD.epoch, role)
        status = await revived.ended()
        if status != _OBSOLETE:
            raise Failed(f"{OLD.id} is obsolete, and ended with {status} instead of {_OBSOLETE}")
    await new.stays("ACTIVE", 0.2)
    _ = scene.gateway
    if _connections(scene) != before:
        raise Failed(f"{OLD.id} is obsolete, and connected to the gateway before it ended")


def _connections(scene: Scene) -> int:
    return scene.gateway.connections if scene.setting.gateway_variable else 0


async def both_killed(scene: Scene) -> None:
    """And both are started again as they were."""
    old, new = await scene.two()
    await old.kill()
    await new.kill()
    copies = await asyncio.gather(
        scene.start(OLD.id, OLD.epoch, "auto"), scene.start(NEW.id, NEW.epoch, "standby")
    )
    for copy in copies:
        await copy.until("ready", lambda status: bool(status["ready"]))
    active = await _active_of(scene, copies)
    for copy in copies:
        await copy.stays("ACTIVE" if copy is active else "STANDBY", 0.4)
    if scene.setting.gateway_variable:
        scene.deliver("after", *copies)
        await scene.once_each("after")


async def _active_of(scene: Scene, copies: Sequence[Copy]) -> Copy:
    ends = scene.clock.monotonic() + scene.setting.patience
    while scene.clock.monotonic() < ends:
        said = [await copy.peek() or {} for copy in copies]
        active = [
            copy for copy, one in zip(copies, said, strict=True) if one.get("state") == "ACTIVE"
        ]
        if len(active) > 1:
            raise Failed("both are ACTIVE, and state.json says standby")
        if active:
            return active[0]
        await scene.clock.sleep(0.05)
    raise Failed("nobody is ACTIVE")
