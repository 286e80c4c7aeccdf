"""Taking one instance back whose new copy was started beside the old one.

1. Before the switch nothing was changed: what was staged is removed.
2. The old one passes its checks and is admitted again. Where it was retired already, or its host
   rebooted and started it with what is new, it is started anew first, with what it ran before. From
   here on clients are where they were.
3. The new copy is drained, ended, and what came with it is put back.
4. Where there was no old copy, the new one is removed, and that is all.
5. When that fails: say what runs, and print the commands a person needs.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.copies import moved_by, new_of, old_of
from gapless.engine.first_install import stay_out
from gapless.engine.perform import perform
from gapless.engine.steps.keeping_out import forget_member
from gapless.engine.steps.lifecycle import STEPS
from gapless.engine.steps.retreat import Retreat
from gapless.engine.undoing import (
    begun,
    clear_stage,
    give_up,
    leave_as_it_was,
    restored_to,
    settle_open,
    way_back,
)
from gapless.errors import FenceRefused, GaplessError
from gapless.model import InstanceState
from gapless.plans import StepKind

_RETREAT = Retreat()


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
        await _restore(ctx)
    except FenceRefused:
        raise
    except GaplessError as error:
        raise await give_up(ctx, error) from error
    await clear_stage(ctx)
    restored = restored_to(ctx)
    seconds = round(ctx.rollout.clock.monotonic() - started, 3)
    ctx.emit("rollback.succeeded", "switch", seconds=seconds, restored=restored)
    return restored


async def _restore(ctx: InstanceContext) -> None:
    back = way_back(ctx)
    old, new = old_of(back), new_of(back)
    if old.slot:
        await _let_clients_back(ctx, old)
    if begun(ctx, StepKind.ADMIT):
        await perform(STEPS[StepKind.DRAIN], new, ctx.key("undo-drain"))
    await perform(_RETREAT, new, ctx.key("undo-switch"))
    if not old.slot:
        await stay_out(ctx)


async def _let_clients_back(ctx: InstanceContext, old: InstanceContext) -> None:
    out = begun(ctx, StepKind.DRAIN)
    if await _is_another(ctx, old):
        out = StepKind.DRAIN in ctx.service.steps
        old = await _start_again(ctx, old)
    await perform(STEPS[StepKind.READY], old, ctx.key("undo-ready"))
    if out:
        await perform(STEPS[StepKind.ADMIT], old, ctx.key("undo-admit"))


async def _is_another(ctx: InstanceContext, old: InstanceContext) -> bool:
    """Whether what runs in the old slot is not what ran there before, or nothing does: it was
    retired, or its host rebooted and started it with the new release."""
    if ctx.key(_START) in ctx.rollout.steps:
        return True
    kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("observation") or {}
    now = await old.runtime.observe(old.transport)
    return now.state is not InstanceState.RUNNING or now.identity != kept.get("identity")


async def _start_again(ctx: InstanceContext, old: InstanceContext) -> InstanceContext:
    """With what it ran before; out of traffic meanwhile."""
    if ctx.key(_START) not in ctx.rollout.steps:
        if StepKind.DRAIN in ctx.service.steps:
            await perform(STEPS[StepKind.DRAIN], old, ctx.key("undo-drain-old"))
        await forget_member(old)
    return moved_by(old, await perform(STEPS[StepKind.SWITCH], old, ctx.key(_START)))


_START = "undo-start"
