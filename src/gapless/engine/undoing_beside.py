"""Taking one instance back whose new copy was started beside the old one.

1. Before the switch nothing was changed: what was staged is removed.
2. The old one passes its checks and is admitted again; where it was retired already, it is started
   first. From here on clients are where they were.
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
    if begun(ctx, StepKind.RETIRE):
        now = await old.runtime.observe(old.transport)
        again = ctx.key("undo-start")
        if now.state is not InstanceState.RUNNING or again in ctx.rollout.steps:
            if again not in ctx.rollout.steps:
                await forget_member(old)
            old = moved_by(old, await perform(STEPS[StepKind.SWITCH], old, again))
    await perform(STEPS[StepKind.READY], old, ctx.key("undo-ready"))
    if begun(ctx, StepKind.DRAIN):
        await perform(STEPS[StepKind.ADMIT], old, ctx.key("undo-admit"))
