"""Taking one instance back whose new copy was started beside the old one.

1. Before the switch nothing was changed: what was staged is removed.
2. Where the traffic was shared, the old one gets all of its part at once.
3. The old one passes its checks and is admitted again. Where it was retired already, or its host
   rebooted and started it with what is new, it is started anew first, with what it ran before. Of
   two that hand over it is asked whether it goes on; one that lives and does not is ended before.
   From here on clients are where they were.
4. The new copy is drained, ended, and what came with it is put back.
5. Where there was no old copy, the new one is removed, and that is all.
6. When that fails: say what runs, and print the commands a person needs.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.copies import moved_by, new_of, old_of
from gapless.engine.first_install import stay_out
from gapless.engine.perform import perform, reconnect
from gapless.engine.steps.admit import Readmit
from gapless.engine.steps.clear_slot import ClearSlot
from gapless.engine.steps.drain import handed_over
from gapless.engine.steps.keeping_out import forget_member, recalled
from gapless.engine.steps.lifecycle import STEPS
from gapless.engine.steps.retire import GONE
from gapless.engine.steps.retreat import Retreat
from gapless.engine.steps.shift import HandBack
from gapless.engine.undoing import (
    begun,
    clear_stage,
    give_up,
    leave_as_it_was,
    restored_to,
    settle_open,
    way_back,
)
from gapless.errors import FenceRefused, GaplessError, LostContact
from gapless.model import InstanceState
from gapless.plans import StepKind

_RETREAT = Retreat()
_HAND_BACK = HandBack()
_CLEAR_SLOT = ClearSlot()
_READMIT = Readmit()


async def undo_beside(ctx: InstanceContext) -> str:
    """Take the instance back; returns what was restored in words. Raises NotRestored."""
    try:
        await settle_open(ctx)
    except GaplessError as error:
        raise await give_up(ctx, error) from error
    if not begun(ctx, StepKind.SWITCH):
        return await leave_as_it_was(ctx)
    ctx.emit("rollback.started", "switch", hosts=[ctx.host])
    started = ctx.rollout.clock.monotonic()
    try:
        went_on = await _restore(ctx)
    except FenceRefused:
        raise
    except GaplessError as error:
        raise await give_up(ctx, error) from error
    await clear_stage(ctx)
    restored = restored_to(ctx)
    seconds = round(ctx.rollout.clock.monotonic() - started, 3)
    done = {"seconds": seconds, "restored": restored, "went_on": went_on}
    ctx.emit("rollback.succeeded", "switch", **done)
    return restored


async def _restore(ctx: InstanceContext) -> bool:
    """Whether the old copy is the one that ran all the while."""
    back = way_back(ctx)
    old, new = old_of(back), new_of(back)
    if _shares(ctx):
        await perform(_HAND_BACK, new, ctx.key("undo-shift"))
    went_on = bool(old.slot) and await _let_clients_back(ctx, old)
    if begun(ctx, StepKind.ADMIT) or begun(ctx, StepKind.SHIFT):
        await perform(STEPS[StepKind.DRAIN], new, ctx.key("undo-drain"))
    await perform(_RETREAT, new, ctx.key("undo-switch"))
    if not old.slot:
        await stay_out(ctx)
    return went_on


def _shares(ctx: InstanceContext) -> bool:
    """Whether the new copy may have a share of the traffic beside the old one."""
    record = ctx.rollout.steps.get(ctx.key(StepKind.SHIFT))
    return record is not None and not record.good


async def _let_clients_back(ctx: InstanceContext, old: InstanceContext) -> bool:
    """Whether that took no start."""
    out = begun(ctx, StepKind.DRAIN)
    went_on = await _goes_on(ctx, old)
    if not went_on:
        out = StepKind.DRAIN in ctx.service.steps
        old = await _start_again(ctx, old)
    await perform(STEPS[StepKind.READY], old, ctx.key("undo-ready"))
    if out:
        await perform(_READMIT if went_on else STEPS[StepKind.ADMIT], old, ctx.key("undo-admit"))
    return went_on


async def _goes_on(ctx: InstanceContext, old: InstanceContext) -> bool:
    """Whether the old copy does, and is the one that ran before."""
    if any(ctx.key(word) in ctx.rollout.steps for word in (_END, _START)):
        return False
    try:
        return await recalled(old) and not await _is_another(ctx, old)
    except LostContact as lost:
        await reconnect(ctx, lost)
        return await recalled(old) and not await _is_another(ctx, old)


async def _is_another(ctx: InstanceContext, old: InstanceContext) -> bool:
    """Whether what runs in the old slot is not what ran there before, or nothing does: it was
    retired, or its host rebooted and started it with the new release."""
    kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("observation") or {}
    now = await old.runtime.observe(old.transport)
    return now.state is not InstanceState.RUNNING or now.identity != kept.get("identity")


async def _start_again(ctx: InstanceContext, old: InstanceContext) -> InstanceContext:
    """With what it ran before; out of traffic meanwhile."""
    if ctx.key(_START) not in ctx.rollout.steps:
        await _clear_slot(ctx, old)
        if StepKind.DRAIN in ctx.service.steps:
            await perform(STEPS[StepKind.DRAIN], old, ctx.key("undo-drain-old"))
        await forget_member(old)
    return moved_by(old, await perform(STEPS[StepKind.SWITCH], old, ctx.key(_START)))


async def _clear_slot(ctx: InstanceContext, old: InstanceContext) -> None:
    """Of copies that hand over: one that hangs may wake up, and the lock would be off by then."""
    lives = (await old.runtime.observe(old.transport)).state not in GONE
    if handed_over(old) and (lives or ctx.key(_END) in ctx.rollout.steps):
        await perform(_CLEAR_SLOT, old, ctx.key(_END))


_END = "undo-end-old"
_START = "undo-start"
