"""A new copy gets no traffic before its gate: a balancer that knows its name beforehand would send
requests to it as soon as it answers. A member that a balancer has for a copy alone goes with it:
the next copy in its slot may be elsewhere."""

from __future__ import annotations

from gapless.drivers.balancers.base import AddsMembers, MemberState
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, replaces_beside
from gapless.engine.in_balancers import taken_out
from gapless.engine.steps.drain import guards


async def keep_out(ctx: InstanceContext) -> None:
    """Out of every balancer that has a member for the copy that is about to be started. One that is
    left of an earlier copy is removed."""
    if not replaces_beside(ctx) or ctx.undoing:
        return
    new = new_of(ctx)
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        members = await balancer.members(new.instance)
        if members and not taken_out(members):
            await balancer.drain(new.instance, guards(new, balancer))
    await forget_member(new)


async def forget_member(ctx: InstanceContext) -> None:
    """No member of a copy that is out of traffic, where members come and go."""
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if not (balancer.capabilities().dynamic_members and isinstance(balancer, AddsMembers)):
            continue
        members = await balancer.members(ctx.instance)
        if any(member.state is not MemberState.MISSING for member in members):
            await balancer.remove(ctx.instance, guards(ctx, balancer))
