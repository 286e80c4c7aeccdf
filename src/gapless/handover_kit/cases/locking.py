"""The event lock, when it works and when it does not."""

from __future__ import annotations

from gapless.handover_kit.copies import Copy
from gapless.handover_kit.scene import Scene
from gapless.handover_kit.verdicts import CannotTell, Failed


async def twice_the_same(scene: Scene) -> None:
    """To one copy, and to both."""
    old, new = await scene.two()
    scene.deliver("again", old)
    await scene.effect("again")
    scene.deliver("again", old)
    await scene.once_each("again")
    await scene.join(new)
    everywhere = [f"everywhere{number}" for number in range(10)]
    for event in everywhere:
        scene.deliver(event, old, new, old, new)
    await scene.once_each("again", *everywhere)


async def lock_broken(scene: Scene) -> None:
    """Both policies, with a lock that breaks while the copy lives."""
    _ = scene.gateway
    kind = scene.setting.lock
    if kind not in ("sqlite", "dir"):
        raise CannotTell("claims on a server cannot be broken from here; use --lock sqlite or dir")
    for policy in ("closed", "open"):
        await _breaks(scene, policy, scene.folder.breakable_lock(kind))


async def _breaks(scene: Scene, policy: str, lock: str) -> None:
    copy = await scene.one({"HANDOVER_LOCK": lock, "HANDOVER_LOCK_FAIL": policy})
    await copy.post("/lock?on=true&epoch=1")
    before = f"{policy}-before"
    scene.deliver(before, copy)
    await scene.once_each(before)
    scene.folder.break_claims()
    scene.tell("claims: broken")
    event = f"{policy}-broken"
    scene.deliver(event, copy)
    # there is no handling in a transaction without the database, whatever the policy
    transactional = scene.gateway.levels[copy.name] == "transactional"
    counter = "failed_closed" if transactional else f"failed_{policy}"
    await copy.until(
        f"counts {counter}", lambda status: status["lock_errors"] >= 1 and status[counter] == 1
    )
    await (scene.once_each(event) if counter == "failed_open" else scene.no_effect(event))
    await _nothing_taken_for_lost(copy)
    await copy.kill()
    scene.folder.mend_claims()
    scene.tell("claims: mended")


async def _nothing_taken_for_lost(copy: Copy) -> None:
    status = await copy.peek() or {}
    if status.get("claims_lost") != 0:
        raise Failed(f"{copy.name} takes an error for a claim that was lost")
