"""admit: back into every balancer, and waited for until each node reports it up.

One rule: admit only what we drained, only after the gate passed on the release that is live now;
else leave it out and say so with the command that ends it.
"""

from __future__ import annotations

from gapless.drivers.balancers.base import Balancer, Readmits
from gapless.engine.context import InstanceContext
from gapless.engine.copies import old_of, replaces_beside
from gapless.engine.journal import StepRecord
from gapless.engine.left_out import (
    forget_by_hand,
    let_in,
    remember_left_out,
    remembered_of_it,
    was_left_out,
    was_not_by_hand,
    why_by_hand,
)
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.drain import Drain, guards, handed_over, out_of
from gapless.plans import StepKind, Verb


class Admit(Step):
    """Harmless to repeat."""

    kind = StepKind.ADMIT
    critical = True
    shown = ("admitted", "left_out", "handed_over")

    async def observe(self, ctx: InstanceContext) -> Facts:
        """By hand: what an abort of it goes back to. A new copy is let in where the old one was."""
        if replaces_beside(ctx) and not ctx.undoing:
            return await Drain().observe(old_of(ctx))
        if ctx.rollout.plan.verb is not Verb.ADMIT or ctx.undoing:
            return {}
        out = await out_of(ctx)
        return {"was_out": out, "remembered": await remembered_of_it(ctx)}

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """What was out before is what was out before the *first* try."""
        return await self.act(ctx, record.before, key) if record.before else None

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Admit in every balancer that had it in when we came."""
        found = _found(ctx) or before
        out_before, by_hand = set(found.get("out_before", [])), found.get("by_hand")
        admitted, left_out = [], []
        for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
            if balancer.name in out_before:
                left_out.append(balancer.name)
                ctx.emit(
                    "instance.left_out",
                    self.kind,
                    balancer=balancer.name,
                    why=why_by_hand(by_hand) if by_hand else _OUT_BEFORE,
                    next=let_in(ctx),
                )
                continue
            await self.let_in(ctx, balancer)
            admitted.append(balancer.name)
        verb = ctx.rollout.plan.verb
        if verb is Verb.ADMIT:
            await forget_by_hand(ctx)
        elif verb is Verb.DRAIN and not by_hand:
            await was_not_by_hand(ctx)
        elif admitted and await was_left_out(ctx):
            await remember_left_out(ctx, left_out=False)
        ctx.emit("admit.confirmed", self.kind, balancers=admitted)
        return {"admitted": admitted, "left_out": left_out, **handed_over(ctx)}

    async def let_in(self, ctx: InstanceContext, balancer: Balancer) -> None:
        """Until every node reports it up."""
        await balancer.admit(ctx.instance, guards(ctx, balancer))


class Readmit(Admit):
    """Of a copy that went on since it was drained."""

    async def let_in(self, ctx: InstanceContext, balancer: Balancer) -> None:
        """Without the time in which a balancer would find out that another copy is sick."""
        if isinstance(balancer, Readmits):
            await balancer.readmit(ctx.instance, guards(ctx, balancer))
        else:
            await super().let_in(ctx, balancer)


_OUT_BEFORE = "it was out of traffic before this rollout"


def _found(ctx: InstanceContext) -> Facts:
    """What the drain found: its result, or of one that failed what it saw before it began."""
    if StepKind.DRAIN in ctx.facts:
        return ctx.facts[StepKind.DRAIN]
    record = ctx.rollout.steps.get(ctx.key(StepKind.DRAIN))
    return record.before if record else {}
