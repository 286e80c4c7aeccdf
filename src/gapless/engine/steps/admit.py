"""admit: back into every balancer, and waited for until each node reports it up.

One rule: admit only what we drained, only after the gate passed on the release that is live now;
else leave it out and say so with the command that ends it.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.left_out import remember_left_out, was_left_out
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.drain import guards
from gapless.plans import StepKind


class Admit(Step):
    """Harmless to repeat."""

    kind = StepKind.ADMIT
    critical = True
    shown = ("admitted", "left_out")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Admit in every balancer that had it in when we came."""
        out_before = set(ctx.facts.get(StepKind.DRAIN, {}).get("out_before", []))
        admitted, left_out = [], []
        for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
            if balancer.name in out_before:
                left_out.append(balancer.name)
                ctx.emit(
                    "instance.left_out",
                    self.kind,
                    balancer=balancer.name,
                    why="it was out of traffic before this rollout",
                    next=f"admit it in {balancer.name} when that reason is gone",
                )
                continue
            await balancer.admit(ctx.instance, guards(ctx, balancer))
            admitted.append(balancer.name)
        if admitted and await was_left_out(ctx):
            await remember_left_out(ctx, left_out=False)
        ctx.emit("admit.confirmed", self.kind, balancers=admitted)
        return {"admitted": admitted, "left_out": left_out}
