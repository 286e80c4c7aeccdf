"""The last words of the new copy, fetched before it is removed.

1. What its runtime calls its log, from the moment on when the copy was started, as its host counts
   the time. An error that brings its own words brings all there are.
2. Commands that start a copy may be all that ever says why it does not run, and no log has what
   they write: their host has kept it with the outcome of the action.
3. It is as well as can be: a host that does not tell keeps no failure from being told.
"""

from __future__ import annotations

from collections.abc import Iterator

from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Step
from gapless.errors import GaplessError, StepError, TransportError
from gapless.model import Completed
from gapless.plans import StepKind

_LINES = 50
_LOGGED = frozenset(
    (
        StepKind.EVACUATE, StepKind.SWITCH, StepKind.READY, StepKind.REJOIN, StepKind.SHIFT,
        StepKind.SOAK, StepKind.VERIFY,
    )
)  # fmt: skip


async def last_words(step: Step, ctx: InstanceContext, error: GaplessError) -> str:
    """Of a step that failed; "" where there are none."""
    if isinstance(error, StepError) and error.log is not None:
        return error.log
    handed_over = step.kind is StepKind.ADMIT and ctx.config.handover is not None
    if not (handed_over or step.kind in _LOGGED) or isinstance(error, TransportError):
        return ""
    try:
        switched = ctx.key(StepKind.SWITCH)
        began = switched if switched in ctx.rollout.steps else ctx.key(step.kind)
        logged = await ctx.runtime.log(ctx.transport, await _on_the_hosts_clock(ctx, began))
        started = await _of_the_commands(ctx, error) if ctx.config.command is not None else ""
    except GaplessError:
        return ""
    return "\n".join(filter(None, (started, logged)))


async def _of_the_commands(ctx: InstanceContext, error: GaplessError) -> str:
    """Rule 2, without what the error says itself."""
    record = ctx.rollout.steps.get(ctx.key(StepKind.SWITCH))
    if record is None:
        return ""
    key = ctx.action_key(ctx.key(StepKind.SWITCH), record.attempt)
    lines: list[str] = []
    for attempt in (key, f"{key}-fallback"):
        for done in (await ctx.transport.settle(attempt)).completed:
            lines += [line for line in _written(done) if line not in error.evidence]
    return "\n".join(lines[-_LINES:])


def _written(done: Completed) -> Iterator[str]:
    for text in (done.stdout, done.stderr):
        yield from (line for line in text.splitlines() if line.strip())


async def _on_the_hosts_clock(ctx: InstanceContext, key: str) -> float:
    """When a step was begun, as its host calls that moment: either clock may be wrong, and ours
    may have been set since. After a crash only our wall clock is left to count by."""
    record = ctx.rollout.steps.get(key)
    if record is None:
        return 0.0
    here, clock = (await ctx.transport.facts()).clock, ctx.rollout.clock
    began = ctx.rollout.began.get(key)
    ago = clock.now() - record.begun if began is None else clock.monotonic() - began
    return here - max(0.0, ago)
