"""What a host remembers of being left out of traffic: only what we took out may we let in again."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.journal import Journal
from gapless.errors import FenceRefused, GaplessError
from gapless.plans import StepKind


async def was_left_out(ctx: InstanceContext) -> bool:
    """Whether an earlier rollout left this instance out."""
    if ctx.fence is None:
        return False
    if (await ctx.transport.recall(ctx.fence.service)).get("left_out"):
        return True
    return _drained_and_lost(ctx)


def _drained_and_lost(ctx: InstanceContext) -> bool:
    """Whether the rollout that lost this host had drained it: the host was never told so."""
    rollout = ctx.rollout.left.get((ctx.service.name, ctx.host))
    if rollout is None:
        return False
    return drained_by(ctx.rollout.journal, rollout, ctx.service.name, ctx.host)


async def tell_left_out(ctx: InstanceContext) -> None:
    """What an ended rollout drained and lost is noted on the host, now that it can be told: this
    rollout may end before it gets there."""
    if ctx.fence is not None and _drained_and_lost(ctx):
        await ctx.transport.remember(ctx.fence, {"left_out": True})


def drained_by(journal: Journal, rollout: str, name: str, host: str) -> bool:
    """Whether a rollout, or one that took it back, took an instance out of traffic and did not
    let it in again."""
    ids = (rollout, *(child.id for child in journal.children(rollout)))
    return any(_drained(journal, id_, name, host) for id_ in ids)


def _drained(journal: Journal, rollout: str, name: str, host: str) -> bool:
    _, plan = journal.load(rollout)
    service = next((s for s in plan.services if s.name == name), None)
    if service is None:
        return False
    steps = journal.steps(rollout)
    begun = steps.get(service.step_key(host, StepKind.DRAIN))
    if begun is None or begun.before.get("out_before"):
        return False
    undo = f"{service.key_prefix}/{host}/{name}/undo"
    again = [f"{undo}-admit"]
    if f"{undo}-drain" not in steps:
        again.append(service.step_key(host, StepKind.ADMIT))
    return not any(key in steps and steps[key].good for key in again)


async def remember_left_out(ctx: InstanceContext, *, left_out: bool) -> None:
    """Note it on the host; a host that cannot be reached has other troubles, and the event says
    the same."""
    if ctx.fence is None:
        return
    place = (ctx.service.name, ctx.host)
    try:
        await ctx.transport.remember(ctx.fence, {"left_out": left_out})
        ctx.rollout.untold.discard(place)
    except FenceRefused:
        raise
    except GaplessError:
        if left_out:
            ctx.rollout.untold.add(place)
