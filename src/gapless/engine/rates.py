"""The rates of a service: looked at while an instance soaks, decided when it is verified.

1. While it soaks a FAIL ends the soak. Anything else waits.
2. After the soak it is looked at until every rate is a PASS, or ``extend`` is over; then
   ``on_insufficient`` decides.
3. Errors that rise on untouched hosts, too, are nobody's fault here: the instance is held, the
   rollout pauses.
4. Not judged are the way back (a rollback is never rolled back) and what --force forces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from gapless.engine.bench import Bench
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.held import Held, Why, held_before
from gapless.engine.look import Look
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


async def _looks(ctx: InstanceContext, benches: Sequence[Bench]) -> Sequence[Look]:
    looks = await asyncio.gather(*(bench.look(ctx) for bench in benches))
    for look in looks:
        ctx.emit("step.progress", StepKind.VERIFY, verdict=look.verdict.to_json())
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
