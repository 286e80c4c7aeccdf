"""A new copy gets no traffic before its gate: a balancer that knows its name beforehand would send
requests to it as soon as it answers. A member that a balancer has for a copy alone goes with it:
the next copy in its slot may be elsewhere."""

from __future__ import annotations

import contextlib

from gapless.drivers.balancers.base import AddsMembers, Balancer, MemberState
from gapless.drivers.handover.base import SeatsCopies
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, replaces_beside
from gapless.engine.in_balancers import taken_out
from gapless.engine.steps.drain import guards
from gapless.errors import GaplessError


async def keep_out(ctx: InstanceContext) -> None:
    """Out of every balancer that has a member for the copy that is about to be started. One that is
    left of an earlier copy is removed. On the way back that was done before; what has to be known
    of a start is told before each try all the same: who told it may have died with it."""
    if not replaces_beside(ctx):
        return
    if ctx.undoing:
        await _announce(ctx)
        return
    new = new_of(ctx)
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if isinstance(balancer, SeatsCopies):
            continue
        members = await balancer.members(new.instance)
        if members and not taken_out(members):
            await balancer.drain(new.instance, guards(new, balancer))
        await _forget(new, balancer)
    await _announce(new)


async def _announce(ctx: InstanceContext) -> None:
    """Those that have to know of a copy before it is started are told."""
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if isinstance(balancer, SeatsCopies):
            await balancer.add(ctx.instance, guards(ctx, balancer))


async def recalled(ctx: InstanceContext) -> bool:
    """Whether a copy goes on that may have been told to end: one that balancers drain does so by
    itself."""
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if isinstance(balancer, SeatsCopies):
            return await balancer.recall(ctx.instance, guards(ctx, balancer))
    return True


async def forget_member(ctx: InstanceContext) -> None:
    """No member of a copy that is out of traffic, where members come and go."""
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        await _forget(ctx, balancer)


async def forget_early(ctx: InstanceContext) -> None:
    """The same while the copy ends, which saves the time that balancers take. Who keeps a member
    for as long as its copy lives has to be asked again after that, and so has who kept its seat."""
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if not isinstance(balancer, SeatsCopies):
            with contextlib.suppress(GaplessError):
                await _forget(ctx, balancer)


async def _forget(ctx: InstanceContext, balancer: Balancer) -> None:
    if not (balancer.capabilities().dynamic_members and isinstance(balancer, AddsMembers)):
        return
    members = await balancer.members(ctx.instance)
    if any(member.state is not MemberState.MISSING for member in members):
        await balancer.remove(ctx.instance, guards(ctx, balancer))
