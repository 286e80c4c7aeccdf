"""The rates of a service: looked at while an instance soaks, decided when it is verified.

1. While it soaks a FAIL ends the soak. Anything else waits.
2. After the soak it is looked at until every rate is a PASS, or ``extend`` is over; then
   ``on_insufficient`` decides.
3. Errors that rise on untouched hosts, too, are nobody's fault here: the instance is held, the
   rollout pauses.
4. While a new copy has a share of the traffic beside the old one, a FAIL ends its shift. What else
   it comes to at the end of a share is kept: a PASS beside the old copy stands (shown.py).
5. Not judged are the way back (a rollback is never rolled back) and what --force forces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from gapless.engine.bench import Bench
from gapless.engine.beside_bench import BesideBench
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.held import Held, Why, held_before
from gapless.engine.look import Look
from gapless.engine.shown import Shown
from gapless.engine.steps.health import tell
from gapless.errors import Unstable
from gapless.judge.gate import Finding
from gapless.plans import ServicePlan, StepKind, Verb

SOON = 0.1
"""Seconds between two looks at least."""

_FORWARD = (Verb.DEPLOY, Verb.RESTART)
_OPEN = (Finding.UNKNOWN, Finding.SUSPECT)


async def open_benches(ctx: RolloutContext, service: ServicePlan) -> None:
    """Before the first instance of the service is touched: keep what only now can be read."""
    forward = ctx.plan.verb in _FORWARD and not ctx.plan.force
    if not forward or StepKind.VERIFY not in service.steps:
        return
    rates = ctx.assembly.rates(service.name)
    benches = [Bench(config, source, len(rates)) for config, source in rates]
    hosts = ctx.assembly.hosts_of(service.name)
    await asyncio.gather(*(bench.begin(hosts, ctx.clock.now()) for bench in benches))
    ctx.benches[service.name] = benches


def benches_of(ctx: InstanceContext) -> Sequence[Bench]:
    """What judges this instance; nothing on its way back."""
    back = ctx.undoing or ctx.rollout.plan.verb not in _FORWARD
    return () if back else ctx.rollout.benches.get(ctx.service.name, ())


async def watch_rates(ctx: InstanceContext, benches: Sequence[Bench]) -> NoReturn:
    """Look again and again; ends only by what is worse. Raises Unstable and Held."""
    while True:
        every = min(bench.config.interval for bench in benches)
        await ctx.rollout.clock.sleep(max(SOON, every))
        _decisive(ctx, StepKind.SOAK, await _looks(ctx, benches))


async def begin_beside(ctx: InstanceContext) -> Sequence[BesideBench]:
    """What judges it while it has shares of the traffic beside the old copy, from here on."""
    looking = [BesideBench(bench, ctx) for bench in benches_of(ctx)]
    for one in looking:
        await one.begin(ctx)
    return looking


async def watch_beside(ctx: InstanceContext, benches: Sequence[BesideBench]) -> NoReturn:
    """The same of a new copy that has a share of the traffic, beside the old one."""
    while True:
        every = min(bench.config.interval for bench in benches)
        await ctx.rollout.clock.sleep(max(SOON, every))
        _decisive(ctx, StepKind.SHIFT, await _looks(ctx, benches, StepKind.SHIFT))


async def shown_beside(ctx: InstanceContext, benches: Sequence[BesideBench]) -> Sequence[Shown]:
    """What it showed up to the end of a share. Raises Unstable and Held."""
    looks = await _looks(ctx, benches, StepKind.SHIFT)
    _decisive(ctx, StepKind.SHIFT, looks)
    found = (bench.shown(look) for bench, look in zip(benches, looks, strict=True))
    return [shown for shown in found if shown is not None]


async def decide_rates(ctx: InstanceContext, benches: Sequence[Bench]) -> int:
    """Look until every rate is decided, or its time is over; how many there are. Raises Unstable
    and Held."""
    clock, accepted = ctx.rollout.clock, Why.INSUFFICIENT in held_before(ctx)
    began = clock.monotonic()
    while True:
        looks = await _looks(ctx, benches)
        _decisive(ctx, StepKind.VERIFY, looks)
        left = [
            bench.config.extend - (clock.monotonic() - began)
            for bench, look in zip(benches, looks, strict=True)
            if look.finding in _OPEN and not accepted
        ]
        if max(left, default=0.0) <= 0:
            break
        every = min(bench.config.interval for bench in benches)
        await clock.sleep(max(SOON, min(max(left), every)))
    tell(ctx, StepKind.VERIFY, [look.verdict for look in looks])
    for bench, look in zip(benches, looks, strict=True):
        if look.finding in _OPEN:
            _undecided(ctx, bench, look, accepted=accepted)
    return len(looks)


async def _looks(
    ctx: InstanceContext,
    benches: Sequence[Bench] | Sequence[BesideBench],
    step: StepKind = StepKind.VERIFY,
) -> Sequence[Look]:
    looks = await asyncio.gather(*(bench.look(ctx) for bench in benches))
    for look in looks:
        ctx.emit("step.progress", step, verdict=look.verdict.to_json())
    return looks


def _decisive(ctx: InstanceContext, step: StepKind, looks: Sequence[Look]) -> None:
    for finding in (Finding.WORSE, Finding.ENVIRONMENT):
        for look in looks:
            if look.finding is finding:
                tell(ctx, step, [look.verdict])
                if finding is Finding.ENVIRONMENT:
                    raise Held(Why.ENVIRONMENT, look.verdict)
                raise _worse(ctx, look)


def _undecided(ctx: InstanceContext, bench: Bench, look: Look, *, accepted: bool) -> None:
    """The time is over: the policy decides, unless a person did."""
    if look.finding is Finding.SUSPECT:
        raise Held(Why.ENVIRONMENT, look.verdict)
    if accepted or bench.config.on_insufficient == "pass":
        return
    if bench.config.on_insufficient == "pause":
        raise Held(Why.INSUFFICIENT, look.verdict)
    raise _worse(ctx, look)


def _worse(ctx: InstanceContext, look: Look) -> Unstable:
    verdict = look.verdict
    error = Unstable(
        f"{verdict.check}: {verdict.answer.partition(', ')[0]}",
        where=str(ctx.instance),
        evidence=str(verdict),
    )
    error.verdict = verdict
    return error
