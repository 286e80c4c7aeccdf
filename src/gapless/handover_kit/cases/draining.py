"""How a copy ends, and how it is brought back."""

from __future__ import annotations

from gapless.handover_kit.scene import Scene
from gapless.handover_kit.verdicts import Failed

_FOR_EVER = 60_000


async def deactivate_finishes(scene: Scene) -> None:
    """An event is in work, and another one comes."""
    old, new = await scene.two()
    await scene.join(new)
    scene.deliver_long("long", 1200, old)
    await old.until("at work", lambda status: status["inflight"] == 1)
    await old.post("/deactivate?epoch=2&deadline=30000")
    await old.becomes("DRAINING")
    scene.deliver("fresh", old)
    await scene.no_effect("fresh")
    scene.deliver("fresh", new)
    if (by := await scene.effect("long")) != old.name:
        raise Failed(f"long was begun by {old.name}, and its effect came from {by}")
    status = await old.ended()
    if status != 0:
        raise Failed(f"{old.name} has drained, and ended with {status} instead of 0")
    await scene.once_each("long", "fresh")


async def deadline(scene: Scene) -> None:
    """What was begun takes far longer than it may."""
    old = await scene.one()
    scene.deliver_long("endless", _FOR_EVER, old)
    await old.until("at work", lambda status: status["inflight"] == 1)
    begun = scene.clock.monotonic()
    await old.post("/deactivate?epoch=1&deadline=1000")
    await old.post("/deactivate?epoch=1&deadline=600000")
    status = await old.ended()
    took = scene.clock.monotonic() - begun
    if status != 0:
        raise Failed(f"{old.name} ended with {status} instead of 0")
    if took < 0.9:
        raise Failed(f"{old.name} had 1 s for what was in work, and ended after {took:.2f} s")
    if "endless" not in old.output:
        raise Failed(
            f"{old.name} does not say that it left 'endless' undone; it wrote: {old.output}"
        )


async def abort_while_draining(scene: Scene) -> None:
    """It takes part again, and has lost nothing meanwhile."""
    old, new = await scene.two()
    await scene.join(new)
    scene.deliver_long("long", 2500, old)
    await old.until("at work", lambda status: status["inflight"] == 1)
    await old.post("/deactivate?epoch=2&deadline=60000")
    await old.becomes("DRAINING")
    scene.deliver("meanwhile", old)
    await scene.kept(old, 1)
    await old.post("/abort?epoch=2")
    await old.becomes("ACTIVE")
    scene.deliver("after", old)
    await scene.once_each("meanwhile", "after", "long")
    await old.stays("ACTIVE", 0.3)
