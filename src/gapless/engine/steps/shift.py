"""shift: more and more of the traffic for the new copy, which is watched at each share.

1. What the balancers give whom is read, and kept with the intent. Nothing is changed before it is
   known how everything goes back.
2. At each share the weights are set, the new copy is admitted, and both are waited for. Then it is
   held for its time: the new copy has to stay up, its checks have to pass, its errors are judged
   beside those of the old one (rates.py), and the weights are read back.
3. A share that was held is recorded, with what the new copy showed until then (shown.py): whoever
   goes on after a crash begins with the next, and counts on. One that was cut short is held anew,
   for all of its time, because nobody watched it meanwhile.
4. What is wrong, or a person who wants out, gives the traffic back before anything else is done:
   before the log is fetched, before the old one is asked how it does.
5. After the last share all weights are what they were.
6. Nobody watches while a person judges (engine/held.py): the old copy gets all of the traffic
   for as long, and the share is given anew afterwards.
7. Where the old copy is out of traffic there is nothing to share: the new one is admitted in its
   place, or left out as it is, by the next step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from gapless.engine.beside_bench import BesideBench
from gapless.engine.context import InstanceContext
from gapless.engine.copies import old_of
from gapless.engine.held import Held
from gapless.engine.journal import StepRecord, StepState, every_event
from gapless.engine.pools import read
from gapless.engine.rates import begin_beside, shown_beside, watch_beside
from gapless.engine.shifting import (
    Before,
    Given,
    before_of,
    give,
    given_at,
    hand_back,
    restore,
    still_given,
)
from gapless.engine.shown import share_key
from gapless.engine.steps.base import Facts, Step
from gapless.engine.watching import Meanwhile, heed, stays_up, until_wanted_out
from gapless.errors import FenceRefused, GaplessError, StepError
from gapless.events.event import Event
from gapless.plans import StepKind

READ_BACK = 2.0
"""Seconds between two looks at weights that were given."""


class Shift(Step):
    """Critical: its intent holds what the weights were. Whoever wants out cuts a hold short."""

    kind = StepKind.SHIFT
    critical = True
    shown = ("shares",)

    async def observe(self, ctx: InstanceContext) -> Facts:
        """The weights before anything was changed."""
        return {"weights": {name: one.to_json() for name, one in (await read(ctx)).items()}}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Every share for its time; in the end nothing is different."""
        weights = before_of(before)
        try:
            await _through(ctx, weights)
            await restore(ctx, weights)
        except Held:
            await hand_back(ctx, weights)
            raise
        except StepError:
            await _at_once(ctx, weights)
            raise
        shares = [one.share for one in ctx.config.rollout.shift] if weights else []
        return {"shares": shares}

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """What was before is what was before the *first* try."""
        return await self.act(ctx, record.before, key)


class HandBack(Step):
    """The undo of a shift that did not come to its end. Critical, and harmless to repeat."""

    kind = StepKind.SHIFT
    critical = True
    shown = ("returned",)

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """All of its part for the old copy, then all weights as they were."""
        record = ctx.rollout.steps[ctx.key(StepKind.SHIFT)]
        weights = before_of(record.before)
        await hand_back(ctx, weights)
        return {"returned": bool(weights)}


async def _through(ctx: InstanceContext, before: Before) -> None:
    shares, looking = ctx.config.rollout.shift, await begin_beside(ctx)
    for number, given in enumerate(given_at(ctx, before)):
        held = share_key(ctx, number + 1)
        if held in ctx.rollout.steps:
            continue
        heed(ctx)
        await give(ctx, before, given)
        hold = shares[number].hold
        seconds = ctx.config.rollout.hold if hold is None else hold
        told = _told(shares[number].share, seconds, given)
        anew = {"anew": True} if _was_given(ctx, told) else {}
        ctx.emit("shift.confirmed", StepKind.SHIFT, copy=ctx.slot, **told, **anew)
        if seconds:
            meanwhile = _meanwhile(ctx, before, given, looking)
            await stays_up(ctx, StepKind.SHIFT, seconds, meanwhile)
        shown = [one.to_json() for one in await shown_beside(ctx, looking)]
        event = ctx.event("shift.held", StepKind.SHIFT, copy=ctx.slot, **told)
        ctx.rollout.finish(held, 1, StepState.DONE, {**told, "shown": shown}, event)


def _was_given(ctx: InstanceContext, told: Mapping[str, object]) -> bool:
    """Whether it had this share before, and was not watched to its end."""
    given = (e for e in every_event(ctx.rollout.journal, ctx.rollout.record.id) if _is_of(ctx, e))
    return any(event.data.get("share") == told["share"] for event in given)


def _is_of(ctx: InstanceContext, event: Event) -> bool:
    about = (event.type, event.service, event.host)
    return about == ("shift.confirmed", ctx.service.name, ctx.host)


def _told(share: float, seconds: float, given: Given) -> dict[str, object]:
    weights = {name: {"new": split.new, "old": split.old} for name, split in given.items()}
    real = min(split.share for split in given.values())
    return {"share": round(min(share, real), 4), "seconds": seconds, "weights": weights}


def _meanwhile(
    ctx: InstanceContext, before: Before, given: Given, looking: Sequence[BesideBench]
) -> Sequence[Meanwhile]:
    judged = [watch_beside(ctx, looking)] if looking else []
    return [*judged, _keep(ctx, before, given), until_wanted_out(ctx)]


async def _keep(ctx: InstanceContext, before: Before, given: Given) -> NoReturn:
    """A balancer that lost what it was told is told again."""
    while True:
        await ctx.rollout.clock.sleep(READ_BACK)
        if not await still_given(ctx, before, given):
            await give(ctx, before, given)


async def _at_once(ctx: InstanceContext, before: Before) -> None:
    """Best effort: the way back does it once more, and tells what does not come right."""
    try:
        await hand_back(ctx, before)
    except FenceRefused:
        raise
    except GaplessError:
        return
    if before:
        ctx.emit("shift.returned", StepKind.SHIFT, copy=old_of(ctx).slot)
