"""A new copy gets no traffic before its gate: a balancer that knows its name beforehand would send
requests to it as soon as it answers."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, replaces_beside
from gapless.engine.in_balancers import taken_out
from gapless.engine.steps.drain import guards


async def keep_out(ctx: InstanceContext) -> None:
    """Out of every balancer that has a member for the copy that is about to be started."""
    if not replaces_beside(ctx) or ctx.undoing:
        return
    new = new_of(ctx)
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        members = await balancer.members(new.instance)
        if members and not taken_out(members):
            await balancer.drain(new.instance, guards(new, balancer))
