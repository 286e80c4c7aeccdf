"""What a host remembers of being left out of traffic: only what we took out may we let in again.

``left_out`` was left by a rollout of ours, and the next one that succeeds there lets it in. What
``by_hand`` says a person took out: only a person lets it in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gapless.engine.context import InstanceContext
from gapless.engine.journal import Journal
from gapless.errors import FenceRefused, GaplessError
from gapless.places import claim_name
from gapless.plans import StepKind, Verb


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
    if plan.verb.by_hand:
        return False
    service = next((s for s in plan.services if s.name == name), None)
    if service is None:
        return False
    steps = journal.steps(rollout)
    begun = steps.get(service.step_key(host, StepKind.DRAIN))
    if begun is None or not begun.before or begun.before.get("out_before"):
        return False  # not begun, nothing ordered yet, or out before us
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


async def drained_by_hand(ctx: InstanceContext) -> Mapping[str, Any]:
    """Who took the instance out by hand, when (seconds since the epoch) and why; empty when nobody
    did."""
    service = claim_name(ctx.rollout.plan.project, ctx.service.name, ctx.host)
    found: Mapping[str, Any] = (await ctx.transport.recall(service)).get("by_hand") or {}
    return found


async def remember_by_hand(ctx: InstanceContext) -> None:
    """Note on the host that a person takes it out. A host that is gone cannot be told: then the
    balancer alone knows, as when it is taken out there."""
    if ctx.fence is None:
        return
    record = ctx.rollout.record
    told = {"actor": record.actor, "since": ctx.rollout.clock.now(), "reason": record.reason}
    await ctx.transport.remember(ctx.fence, {"by_hand": told})


async def forget_by_hand(ctx: InstanceContext) -> None:
    """A person let it in again; nobody else left it out either."""
    if ctx.fence is not None:
        await ctx.transport.remember(ctx.fence, {"by_hand": None, "left_out": False})


_REMEMBERED = ("by_hand", "left_out")


async def remembered_of_it(ctx: InstanceContext) -> dict[str, Any]:
    """What the host remembers of its being out of traffic, as it is remembered."""
    if ctx.fence is None:
        return {}
    known = await ctx.transport.recall(ctx.fence.service)
    return {key: known[key] for key in _REMEMBERED if known.get(key)}


async def remember_again(ctx: InstanceContext, remembered: Mapping[str, Any]) -> None:
    """An admit by hand came to nothing: the host knows again for whom it is out."""
    if ctx.fence is not None and remembered:
        await ctx.transport.remember(ctx.fence, dict(remembered))


async def was_not_by_hand(ctx: InstanceContext) -> None:
    """A drain by hand came to nothing; what else left it out still does."""
    if ctx.fence is not None:
        await ctx.transport.remember(ctx.fence, {"by_hand": None})


def who_drained(told: Mapping[str, Any]) -> str:
    """By whom, and why: ``by alice, new disk``."""
    reason = f", {told['reason']}" if told.get("reason") else ""
    return f"by {told.get('actor') or 'somebody'}{reason}"


def already_by_hand(told: Mapping[str, Any]) -> str:
    """In words: whoever drains it again is not the first."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(told.get("since") or 0.0)))
    reason = f": {told['reason']}" if told.get("reason") else ""
    return f"already drained by {told.get('actor') or 'somebody'} since {since}{reason}"


def why_by_hand(told: Mapping[str, Any]) -> str:
    """In words: who took it out, and why."""
    reason = f": {told['reason']}" if told.get("reason") else ""
    return f"{told.get('actor') or 'somebody'} drained it by hand{reason}"


def let_in(ctx: InstanceContext) -> str:
    """The command that ends it."""
    return f"gapless {Verb.ADMIT.value} {ctx.instance}"
