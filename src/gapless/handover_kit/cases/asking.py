"""Requests and signals: what they do, and what they must not do."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from gapless.handover_kit.copies import Copy
from gapless.handover_kit.scene import NEW, OLD, Scene
from gapless.handover_kit.verdicts import Failed

_POSTS = ("/lock?on=true", "/lock?on=false", "/activate?", "/deactivate?deadline=0", "/abort?")
_NONSENSE = (
    "/lock?epoch=2",
    "/lock?on=perhaps&epoch=2",
    "/lock?on=true",
    "/activate",
    "/activate?epoch=",
    "/activate?epoch=two",
    "/activate?epoch=-2",
    "/deactivate?epoch=2&deadline=soon",
    "/deactivate?epoch=2&deadline=-1",
    "/abort?epoch=2.5",
)


async def obsolete_orchestrator(scene: Scene) -> None:
    """Epoch 1 is older than the copy, epoch 8 older than a request that came before."""
    _, new = await scene.two()
    for target in _POSTS:
        joined = "&" if not target.endswith("?") else ""
        await _refused(new, f"{target}{joined}epoch=1", 409, {"error": "obsolete", "epoch": 2})
    await _unchanged(new, "STANDBY")
    await new.post("/lock?on=true&epoch=9")
    await _refused(new, "/activate?epoch=8", 409, {"error": "obsolete", "epoch": 9})
    await _unchanged(new, "STANDBY")


async def wrong_state(scene: Scene) -> None:
    """A standby, an active copy, and with a gateway one that boots."""
    old, new = await scene.two()
    standing = {"error": "state", "state": "STANDBY"}
    await _refused(new, "/deactivate?epoch=2", 409, standing)
    await _refused(new, "/abort?epoch=2", 409, standing)
    await _unchanged(new, "STANDBY")
    await old.post("/activate?epoch=2")
    await old.post("/abort?epoch=2")
    await old.stays("ACTIVE", 0.2)
    await new.kill()
    scene.gateway.hold(NEW.id)
    new = await scene.start(NEW.id, NEW.epoch, "standby")
    await new.becomes("BOOTING")
    booting = {"error": "state", "state": "BOOTING"}
    for what in ("activate", "deactivate", "abort"):
        await _refused(new, f"/{what}?epoch=2", 409, booting)
    await new.post("/lock?on=true&epoch=2")
    await new.stays("BOOTING", 0.2)
    await _refused_while_draining(scene, old)


async def _refused_while_draining(scene: Scene, old: Copy) -> None:
    scene.deliver_long("long", 60_000, old)
    await old.until("at work", lambda status: status["inflight"] == 1)
    await old.post("/deactivate?epoch=2&deadline=60000")
    draining = {"error": "state", "state": "DRAINING"}
    await _refused(old, "/activate?epoch=2", 409, draining)
    await old.stays("DRAINING", 0.2)


async def nonsense(scene: Scene) -> None:
    """None of it changes anything."""
    _, new = await scene.two()
    for target in _NONSENSE:
        await _refused(new, target, 400, {"error": "request"})
    await _unchanged(new, "STANDBY")


async def _refused(copy: Copy, target: str, status: int, body: Mapping[str, object]) -> None:
    answer = await copy.ask("POST", target)
    if answer.status != status or not body.items() <= answer.body.items():
        raise Failed(
            f"{copy.name}: POST {target} must be answered with {status} {body}, "
            f"and was with {answer.status} {answer.body}"
        )


async def _unchanged(copy: Copy, state: str) -> None:
    await copy.stays(state, 0.2)
    await copy.until("with the lock on", lambda status: status["lock"] is True)


async def signals(scene: Scene) -> None:
    """Where no socket can be had."""
    scene.write("standby", OLD, NEW, lock=True)
    scene.folder.hold_active()
    copy = await scene.start(NEW.id, NEW.epoch, "standby")
    await copy.is_ready_as("STANDBY")
    copy.send(signal.SIGTTOU)
    await copy.until("with the lock off", lambda status: status["lock"] is False)
    copy.send(signal.SIGTTIN)
    await copy.until("with the lock on", lambda status: status["lock"] is True)
    copy.send(signal.SIGUSR2)
    await copy.becomes("ACTIVE")
    copy.send(signal.SIGTSTP)
    status = await copy.ended()
    if status != 0:
        raise Failed(f"{copy.name} has drained, and ended with {status} instead of 0")
    again = await scene.start(NEW.id, NEW.epoch, "standby")
    await again.is_ready_as("STANDBY")
    again.send(signal.SIGTERM)
    if (status := await again.ended()) != 0:
        raise Failed(f"{again.name} was told to end, and ended with {status} instead of 0")
