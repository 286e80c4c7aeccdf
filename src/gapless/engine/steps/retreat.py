"""Ending the new copy on the way back: its files and its release go with it, in one action."""

from __future__ import annotations

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.engine.config_change import confirm_config, needed_config_commands
from gapless.engine.context import InstanceContext
from gapless.engine.remarks import tell_remarks
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.keeping_out import forget_member
from gapless.engine.steps.retire import refuse_running
from gapless.engine.steps.switch import refused_by_host, release_commands
from gapless.model import CriticalAction
from gapless.plans import StepKind


class Retreat(Step):
    """The undo of a switch that started a copy beside the old one. Critical, and harmless to
    repeat. ``ctx`` speaks of the new copy, with what there was before as the goal."""

    kind = StepKind.SWITCH
    critical = True
    shown = ("manner",)

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Stop it and put back what came with it."""
        kept = RuntimeSnapshot.from_json(ctx.service.snapshots[ctx.host]["runtime"])
        ending = await ctx.copy.ending(ctx.transport, kept)
        moves = (*release_commands(ctx), *await needed_config_commands(ctx))
        limit = ending.timeout + sum(command.timeout for command in moves)
        commands = (*ending.commands, *moves)
        settled = await ctx.transport.act(CriticalAction(key, commands, ctx.fence, limit))
        tell_remarks(ctx, self.kind, settled)
        if not settled.ok:
            raise refused_by_host(ctx, settled)
        await refuse_running(ctx)
        await forget_member(ctx)
        await confirm_config(ctx)
        return {"manner": ending.manner}
