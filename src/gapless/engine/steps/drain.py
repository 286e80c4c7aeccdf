"""drain: out of every balancer, and waited for until each node reports it idle.

That lasts as long as clients like. Whoever wants out does not wait for it: the instance runs as it
ran, and is admitted again. A copy that hands over and has not ended yet is told to go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from gapless.drivers.balancers.base import Balancer, Drained, MemberState
from gapless.drivers.handover.base import SeatsCopies
from gapless.drivers.runtimes.paired import Paired, copy_of
from gapless.engine.context import InstanceContext
from gapless.engine.copies import is_none, replaces_beside
from gapless.engine.first_install import removes
from gapless.engine.in_balancers import taken_out
from gapless.engine.journal import StepRecord
from gapless.engine.left_out import (
    already_by_hand,
    drained_by_hand,
    let_in,
    remember_by_hand,
    was_left_out,
)
from gapless.engine.steps.base import Facts, Step
from gapless.errors import FloorBroken, GaplessError, TrafficError
from gapless.model import Fence, Instance
from gapless.plans import StepKind, Verb


class Drain(Step):
    """Harmless to repeat. What was out already when we came is noted, and left out later."""

    kind = StepKind.DRAIN
    critical = True
    shown = ("evidence", "left", "handed_over", "stays")

    @property
    def cut_short(self) -> bool:
        """All of it is told anew by an admit."""
        return True

    async def observe(self, ctx: InstanceContext) -> Facts:
        """Which balancers had it out before us."""
        by_hand = await self._by_hand(ctx)
        every = [b.name for b in ctx.rollout.assembly.balancers(ctx.service.name)]
        if by_hand:
            return {"out_before": every, "by_hand": by_hand}
        if await was_left_out(ctx):
            # by an earlier rollout of ours: this one lets it in, unless a person wants it out
            return {"out_before": every if ctx.rollout.plan.verb is Verb.DRAIN else []}
        return {"out_before": [] if is_none(ctx) else await out_of(ctx)}

    async def _by_hand(self, ctx: InstanceContext) -> Facts:
        """Who has it out by hand; whoever admits by hand ends just that."""
        if ctx.rollout.plan.verb is Verb.ADMIT or ctx.fence is None:
            return {}
        return await drained_by_hand(ctx)

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Drain in every balancer; the balancer's own floor is checked first. By hand it is
        remembered before: what is out is out for a known reason."""
        if ctx.rollout.plan.verb is Verb.DRAIN and not ctx.undoing:
            await self._remember(ctx, before.get("by_hand"))
        evidence: dict[str, str] = {}
        left, stays = 0, False
        for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
            await _hold_floor(ctx, balancer)
            drained = await balancer.drain(ctx.instance, guards(ctx, balancer))
            evidence[balancer.name] = drained.evidence.value
            stays = self._stays(ctx, balancer, drained) or stays
            left += drained.left
            if drained.note:
                ctx.emit("instance.warned", self.kind, why=drained.note)
        said = " ".join(sorted(set(evidence.values())))
        if not stays:
            ctx.emit("drain.confirmed", self.kind, evidence=said, left=left)
        told = {**handed_over(ctx), **({"stays": True} if stays else {})}
        return {**before, "evidence": said, "left": left, **told}

    def _stays(self, ctx: InstanceContext, balancer: Balancer, drained: Drained) -> bool:
        """Whether it goes on to get traffic until it ends, because nothing can take it out. Raises
        TrafficError where that was all that was to be done."""
        up = [member for member in drained.members if member.state is MemberState.UP]
        if up and ctx.rollout.plan.verb is Verb.DRAIN and not ctx.undoing:
            raise TrafficError(
                "it cannot be taken out of traffic",
                where=balancer.name,
                evidence="\n".join(f"{one.node}: {one.raw}" for one in up),
                next="a deploy brings a copy that can",
            )
        return bool(up)

    async def _remember(self, ctx: InstanceContext, first: Facts | None) -> None:
        """Whoever drained it first is who has it out, and for that reason."""
        if not first:
            await remember_by_hand(ctx)
            return
        why = already_by_hand(first)
        ctx.emit("instance.left_out", self.kind, balancer="", why=why, next=let_in(ctx))

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """What was out before is what was out before the *first* try: looking again would find
        our own drain and leave the instance out for good."""
        return await self.act(ctx, record.before, key)


def handed_over(ctx: InstanceContext) -> Facts:
    """Whether it is the copies that change places, and no traffic that is moved."""
    every = ctx.rollout.assembly.balancers(ctx.service.name)
    seated = any(isinstance(balancer, SeatsCopies) for balancer in every)
    return {"handed_over": True} if seated else {}


async def out_of(ctx: InstanceContext) -> list[str]:
    """Balancers that report it out of traffic now."""
    out = []
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        members = await balancer.members(ctx.instance)
        if taken_out(members):
            out.append(balancer.name)
    return out


FLOOR_WITHIN = 5.0
"""Seconds a balancer may take to see the others up: its checks lag behind ours."""


async def _hold_floor(ctx: InstanceContext, balancer: Balancer) -> None:
    """The balancer's view of who is up counts too: our own may be too rosy. On the way back it
    does not: what failed serves nobody."""
    if ctx.undoing or ctx.rollout.plan.force or not ctx.service.floor:
        return
    if ctx.host in ctx.service.installs or removes(ctx):  # it was no part of the floor before
        return
    if replaces_beside(ctx):  # the new copy was just reported up in its place
        return
    if ctx.host in ctx.rollout.floors[ctx.service.name].broken:  # and it is none now
        return
    clock = ctx.rollout.clock
    deadline = clock.monotonic() + FLOOR_WITHIN
    hosts = ctx.rollout.floors[ctx.service.name].hosts
    others = await _known_to_balancers(ctx, sorted(hosts - {ctx.host}))
    while True:
        serving = await balancer.serving(others)
        if serving is None or serving >= ctx.service.floor:
            return  # a balancer that cannot count leaves the floor to our own count
        if clock.monotonic() >= deadline:
            raise FloorBroken(
                f"{balancer.name} reports {serving or 'none'} of the other instances up; the floor"
                f" is {ctx.service.floor}",
                where=str(ctx.instance),
                next=f"gapless status {ctx.service.name}",
            )
        await clock.sleep(0.25)


def guards(ctx: InstanceContext, balancer: Balancer) -> tuple[Fence, ...]:
    """Fences of the balancer's nodes; without nodes of its own it is steered on the instance's
    host."""
    service = ctx.service.name
    if not balancer.hosts:
        return (ctx.fence,) if ctx.fence is not None else ()
    fences = (ctx.rollout.fences.get((service, host)) for host in balancer.hosts)
    return tuple(fence for fence in fences if fence is not None)


async def _known_to_balancers(ctx: InstanceContext, hosts: Sequence[str]) -> Sequence[Instance]:
    """By the copies that serve, where there may be two. One whose host does not answer is not
    counted."""
    assembly, name = ctx.rollout.assembly, ctx.service.name
    found = []
    for host in hosts:
        with contextlib.suppress(GaplessError):
            runtime, whole = assembly.runtime(name, host), Instance(name, host)
            if isinstance(runtime, Paired):
                whole = (await copy_of(runtime, assembly.transport(host), whole))[1]
            found.append(whole)
    return found
