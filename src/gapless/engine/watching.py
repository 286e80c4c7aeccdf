"""Watching a new copy for a time: its state, identity and checks on the host, and what goes on
meanwhile here. The first finding ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, NoReturn

from gapless.drivers.checks import asking
from gapless.drivers.runtimes.own_check import asked_of
from gapless.engine.asked_release import goal_name
from gapless.engine.context import InstanceContext
from gapless.engine.steps.health import side_here, tell, timing, worst
from gapless.errors import UndoRequested, Unstable
from gapless.model import InstanceState, Observation, Verdict, VerdictStatus
from gapless.plans import StepKind

Meanwhile = Coroutine[Any, Any, NoReturn]
"""What ends only by raising why the watch is over."""
LISTEN_EVERY = 0.25
"""Seconds between two looks for a person who wants out."""
LOOK_EVERY = 1.0
"""Seconds between two looks at the state of what has no unit."""


async def stays_up(
    ctx: InstanceContext, step: StepKind, seconds: float, meanwhile: Sequence[Meanwhile] = ()
) -> None:
    """Return when it was well for the whole time. Raises Unstable, and what ``meanwhile`` does."""
    ready = ctx.facts.get(StepKind.READY, {}).get("observation")
    observation = (
        Observation.from_json(ready) if ready else await ctx.runtime.observe(ctx.transport)
    )
    if ctx.runtime.unit:
        verdicts = await _first(_watched(ctx, seconds, observation), meanwhile)
    else:
        changing = _while_same(ctx, step, seconds, observation)
        verdicts = await _first(_watched(ctx, seconds, observation), [*meanwhile, changing])
        verdicts = (*verdicts, await _same(ctx, observation))
    tell(ctx, step, verdicts)
    finding = worst(verdicts)
    if finding is not None:
        raise _unstable(ctx, seconds, finding)


def heed(ctx: InstanceContext) -> None:
    """Raises UndoRequested when a person wants out."""
    ctx.rollout.listen()
    if ctx.rollout.interrupts.undo.is_set():
        raise UndoRequested("the undo of the current batch was asked for", where=ctx.host)


async def until_wanted_out(ctx: InstanceContext) -> NoReturn:
    """Ends when a person wants out, from another terminal, too. Raises UndoRequested."""
    while True:
        heed(ctx)
        await ctx.rollout.clock.sleep(LISTEN_EVERY)


async def _watched(
    ctx: InstanceContext, seconds: float, observation: Observation
) -> tuple[Verdict, ...]:
    patience = timing(ctx.config.health)
    forced = bool(ctx.rollout.plan.force)
    release = await goal_name(ctx, ctx.config.health)
    health = () if forced else ctx.rollout.assembly.health(ctx.instance, release)
    probes = () if forced else await asked_of(ctx.runtime, ctx.transport, health)
    here = await side_here(ctx, probes)
    return await asking.watch(
        ctx.transport,
        lambda: here,
        ctx.runtime.unit,
        probes,
        seconds=seconds,
        every=patience.interval,
        retries=patience.retries,
        retry_delay=patience.retry_delay,
        identity=ctx.runtime.soak_identity(observation),
        kept=ctx.rollout.secrets,
    )


async def _first(
    watching: Coroutine[Any, Any, tuple[Verdict, ...]], meanwhile: Sequence[Meanwhile]
) -> tuple[Verdict, ...]:
    """The answers of the watch, unless something else ends before it."""
    if not meanwhile:
        return await watching
    tasks = [asyncio.create_task(work) for work in (watching, *meanwhile)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = next(task for task in reversed(tasks) if task.done())
        answers: tuple[Verdict, ...] = ended.result()
        return answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _while_same(
    ctx: InstanceContext, step: StepKind, seconds: float, ready: Observation
) -> NoReturn:
    """A runtime without a unit is not watched on its host: it is looked at from here. Raises
    Unstable once it is not the same copy any more, or does not run."""
    while True:
        await ctx.rollout.clock.sleep(LOOK_EVERY)
        verdict = await _same(ctx, ready)
        if verdict.status is not VerdictStatus.PASS:
            tell(ctx, step, (verdict,))
            raise _unstable(ctx, seconds, verdict)


async def _same(ctx: InstanceContext, ready: Observation) -> Verdict:
    """Whether it is still the copy that got ready, and runs."""
    now = await ctx.runtime.observe(ctx.transport)
    runs, same = now.state is InstanceState.RUNNING, now.identity == ready.identity
    anew = "" if same or not runs else ", and was started anew"
    answer = f"{now.detail.get('status') or now.state.value}{anew}"
    status = VerdictStatus.PASS if runs and same else VerdictStatus.FAIL
    return Verdict(status, "identity", "status", answer, "running, not started anew")


def _unstable(ctx: InstanceContext, seconds: float, finding: Verdict) -> Unstable:
    error = Unstable(
        f"did not stay up for {seconds:g} s", where=str(ctx.instance), evidence=str(finding)
    )
    error.verdict = finding
    return error
