"""retire: end the old copy, for good; the new one serves and has been watched.

It is out of every balancer and idle by then. A balancer that had a member for it alone takes that
out while the copy ends, and has none afterwards.
"""

from __future__ import annotations

from gapless.drivers.balancers.sight import together
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of
from gapless.engine.journal import StepRecord
from gapless.engine.remarks import tell_remarks
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.keeping_out import forget_early, forget_member
from gapless.engine.steps.switch import refused_by_host
from gapless.errors import ActionFailed, Unstable
from gapless.model import CriticalAction, InstanceState, Settlement
from gapless.plans import StepKind

GONE = frozenset((InstanceState.STOPPED, InstanceState.FAILED, InstanceState.MISSING))
"""States of a copy that runs no more, however its end went."""


class Retire(Step):
    """Critical, and harmless to repeat: what is gone is gone."""

    kind = StepKind.RETIRE
    critical = True
    shown = ("identity", "died")

    async def observe(self, ctx: InstanceContext) -> Facts:
        """Which copy is ended, and whether it had died before."""
        now = await ctx.runtime.observe(ctx.transport)
        dead = now.state is InstanceState.FAILED
        died = {"died": now.detail.get("status") or now.state.value} if dead else {}
        return {"identity": now.identity, **died}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Stop it, see that it is gone, and forget it in balancers. Never the last one that runs: a
        host that rebooted meanwhile has started the old copy and not the new one."""
        await _refuse_last(ctx)
        if before.get("died"):
            why = f"the old copy had died by itself before it was ended: {before['died']}"
            ctx.emit("instance.warned", self.kind, why=why)
        await together((end(ctx, key), forget_early(ctx)))
        await forget_member(ctx)
        return before

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """An action that still runs is waited for; what it left is ended once more."""
        settled = await ctx.transport.settle(key)
        tell_remarks(ctx, self.kind, settled)
        if settled.status is Settlement.DONE and not settled.ok:
            raise refused_by_host(ctx, settled)
        return None


async def _refuse_last(ctx: InstanceContext) -> None:
    new = new_of(ctx)
    now = await new.runtime.observe(ctx.transport)
    if now.state is not InstanceState.RUNNING:
        old = (await ctx.runtime.observe(ctx.transport)).state
        left = "had ended already: none ran" if old in GONE else "is not ended"
        raise Unstable(
            f"the new copy is {now.state.value}, and the old one {left}",
            where=str(ctx.instance),
            evidence=now.detail.get("status", "") or f"identity {now.identity or 'none'}",
            next=new.runtime.look(ctx.host),
        )


async def end(ctx: InstanceContext, key: str) -> None:
    """Stop a copy and see that it is gone."""
    ending = await ctx.copy.ending(ctx.transport)
    action = CriticalAction(key, ending.commands, ctx.fence, ending.timeout)
    settled = await ctx.transport.act(action)
    tell_remarks(ctx, StepKind.RETIRE, settled)
    if not settled.ok:
        raise refused_by_host(ctx, settled)
    await refuse_running(ctx)


async def refuse_running(ctx: InstanceContext) -> None:
    """State set is not state reported: raises ActionFailed for a copy that was stopped and goes
    on."""
    now = await ctx.runtime.observe(ctx.transport)
    if now.state not in GONE:
        raise ActionFailed(
            f"copy {ctx.slot} was stopped and is still {now.state.value}",
            where=str(ctx.instance),
            evidence=f"identity {now.identity or 'none'}",
            next=ctx.runtime.look(ctx.host),
        )
