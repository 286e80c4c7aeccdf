"""What a copy is while it stands by."""

from __future__ import annotations

import signal

from gapless.handover_kit.copies import Copy
from gapless.handover_kit.scene import NEW, OLD, Scene
from gapless.handover_kit.verdicts import Failed

_DAYS = 3 * 86_400_000
_SHORT = {"HANDOVER_MAX_AGE": "2"}


async def standby_handles_nothing(scene: Scene) -> None:
    """Both get the events, one handles them."""
    old, new = await scene.two()
    events = [f"e{number}" for number in range(5)]
    for event in events:
        scene.deliver(event, old, new)
    await scene.once_each(*events)
    await scene.kept(new, len(events))
    if strangers := {await scene.effect(event) for event in events} - {old.name}:
        raise Failed(f"{', '.join(strangers)} stood by, and had an effect")


async def activate_replays_buffer(scene: Scene) -> None:
    """The old copy gets some events in time and others never, and is at work on one."""
    old, new = await scene.two()
    both = [f"both{number}" for number in range(4)]
    late = [f"late{number}" for number in range(4)]
    for event in both:
        scene.deliver(event, old, new)
    for event in late:
        scene.deliver(event, new)
    await scene.kept(new, len(both) + len(late))
    await scene.once_each(*both)
    scene.deliver_long("slow", 1500, old, new)
    await old.until("at work", lambda status: status["inflight"] == 1)
    await scene.kept(new, len(both) + len(late) + 1)
    await scene.join(new)
    await scene.once_each(*both, *late, "slow")
    await new.until("idle", lambda status: status["inflight"] == 0)
    scene.deliver("after", old, new)
    await scene.once_each("after")


async def standby_told_to_end(scene: Scene) -> None:
    """The old copy was away, or is late: some events came to the standby alone."""
    old, new = await scene.two()
    alone = [f"alone{number}" for number in range(3)]
    for event in alone:
        scene.deliver(event, new)
    scene.deliver("both", old, new)
    await scene.kept(new, len(alone) + 1)
    scene.tell(f"{new.name}: TERM")
    new.send(signal.SIGTERM)
    status = await new.ended()
    if status != 0:
        raise Failed(f"{new.name} was told to end by TERM, and ended with {status} instead of 0")
    await scene.once_each(*alone, "both")
    if (by := await scene.effect("both")) != old.name:
        raise Failed(f"{old.name} is ACTIVE and had 'both', and its effect came from {by}")
    await old.stays("ACTIVE", 0.2)


async def orchestrator_dies(scene: Scene) -> None:
    """Nobody comes for longer than the age."""
    await scene.one()
    new = await scene.start_new(_SHORT)
    await new.is_ready_as("STANDBY")
    await new.until("stale", lambda said: bool(said["stale"]))
    await new.stays("STANDBY", 0.5)
    await new.post("/lock?on=true&epoch=2")
    await new.until("not stale after a POST", lambda said: not said["stale"], 1.5)


async def no_state_fresh(scene: Scene) -> None:
    """Somebody else is active, and there is no file."""
    scene.folder.hold_active()
    scene.tell("active.lock: held")
    copy = await scene.start(NEW.id, NEW.epoch, "standby")
    await _stands_by(scene, copy_is_stale=False, copy=copy)


async def clock_behind(scene: Scene) -> None:
    """The orchestrator's clock is an hour ahead."""
    scene.folder.hold_active()
    scene.tell("active.lock: held")
    started_at = {"HANDOVER_STARTED_AT": str(scene.now_ms + 3_600_000)}
    copy = await scene.start(NEW.id, NEW.epoch, "standby", started_at)
    await _stands_by(scene, copy_is_stale=False, copy=copy)


async def no_state_old(scene: Scene) -> None:
    """With the lock free it is active, and else it waits for it."""
    old = {"HANDOVER_STARTED_AT": str(scene.now_ms - _DAYS)}
    copy = await scene.start(NEW.id, NEW.epoch, "standby", old)
    status = await copy.becomes("ACTIVE")
    if status["took_over"]:
        raise Failed(f"{copy.name} says it took over, and nobody was there")
    await copy.kill()
    scene.folder.hold_active()
    scene.tell("active.lock: held")
    copy = await scene.start(NEW.id, NEW.epoch, "standby", old)
    await _stands_by(scene, copy_is_stale=True, copy=copy)


async def _stands_by(scene: Scene, *, copy_is_stale: bool, copy: Copy) -> None:
    status = await copy.is_ready_as("STANDBY")
    if not status["lock"]:
        raise Failed(f"{copy.name} has no state.json and not the lock, and claims nothing")
    await copy.stays("STANDBY", 0.5)
    if status["stale"] is not copy_is_stale:
        raise Failed(f"{copy.name} must say stale={copy_is_stale}, and says {status['stale']}")
    scene.folder.let_active_go()
    scene.tell("active.lock: free")
    status = await copy.becomes("ACTIVE")
    if not status["took_over"]:
        raise Failed(f"{copy.name} became active by itself, and does not say took_over")


async def restart_days_later(scene: Scene) -> None:
    """The handover was days ago, and its role is still in the environment."""
    scene.write("done", NEW, None, lock=False)
    for started_at in (scene.now_ms - _DAYS, scene.now_ms):
        variables = {"HANDOVER_STARTED_AT": str(started_at)}
        copy = await scene.start(NEW.id, NEW.epoch, "standby", variables)
        status = await copy.is_ready_as("ACTIVE")
        if status["took_over"]:
            raise Failed(f"{copy.name} says it took over, and it was active before")
        await copy.kill()


async def restart_in_standby(scene: Scene) -> None:
    """Started again with the same environment."""
    _, new = await scene.two()
    await new.kill()
    again = await scene.start(NEW.id, NEW.epoch, "standby")
    status = await again.is_ready_as("STANDBY")
    if not status["restarted"]:
        raise Failed(f"{again.name} has been up before, and does not say restarted")
    await again.stays("STANDBY", 0.5)


async def restart_in_joint(scene: Scene) -> None:
    """The environment says standby, the file says joint, and the old copy has the lock."""
    old, new = await scene.two()
    await scene.join(new)
    await new.kill()
    again = await scene.start(NEW.id, NEW.epoch, "standby")
    status = await again.is_ready_as("ACTIVE")
    if not status["lock"]:
        raise Failed(f"{again.name} is active beside {OLD.id} with the lock off")
    await old.stays("ACTIVE", 0.2)
