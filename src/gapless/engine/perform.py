"""One journaled step: observe, commit the intent, act, commit the outcome.

1. An outcome in the journal is taken as it is; nothing is done twice.
2. An intent without outcome (crash) is put to the host first: met → recorded as observed, else
   the action runs again under a new attempt.
3. Contact lost while acting is the same situation: reconnect within the host's limit, then 2.
4. A person who wants out cuts steps short: all that may be left half-way because their way back
   copes with it. What a critical one has begun is finished first, but for the wait of a drain.
5. A failure is committed with its evidence and the last log lines of the new copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn

from gapless.engine.context import InstanceContext
from gapless.engine.journal import StepRecord, StepState
from gapless.engine.last_words import last_words
from gapless.engine.steps.base import Facts, Step
from gapless.errors import (
    ActionFailed,
    DeadlineExceeded,
    FenceRefused,
    GaplessError,
    HostFault,
    LostContact,
    StepError,
    TransportError,
    UndoRequested,
)
from gapless.model import Command
from gapless.plans import StepKind

LISTEN_EVERY = 0.25
"""Seconds until an ``abort`` is heard."""
RECONNECT_EVERY = 1.0
"""Seconds between two tries to reach a lost host."""


async def perform(step: Step, ctx: InstanceContext, key: str | None = None) -> Facts:
    """Bring the step to its goal, or raise StepError, Refused or TransportError."""
    key = key or ctx.key(step.kind)
    record = ctx.rollout.steps.get(key)
    if record is not None and record.good:
        return record.result
    if record is not None and record.state is StepState.FAILED:
        raise failed_before(ctx, record)
    patience = _Patience(ctx)
    while True:
        try:
            return await _attempt(step, ctx, key)
        except UndoRequested:
            raise
        except LostContact as error:
            lost = error
        except FenceRefused:  # no failure: it stays open for whoever goes on
            ctx.rollout.refused.add(key)
            raise
        except GaplessError as error:
            if not await _going_down(ctx, error):
                raise _fail(step, ctx, key, error, await last_words(step, ctx, error)) from None
            lost = LostContact("the host is going down", where=ctx.host, evidence=error.what)
        try:
            patience.check(lost)
            await reconnect(ctx, lost)
        except TransportError as gone:
            raise _fail(step, ctx, key, gone) from None


class _Patience:
    """How long one step puts up with a host that goes away again and again."""

    def __init__(self, ctx: InstanceContext) -> None:
        self._clock = ctx.rollout.clock
        self._limit = ctx.rollout.assembly.reconnect_limit(ctx.host)
        self._first: float | None = None

    def check(self, lost: LostContact) -> None:
        now = self._clock.monotonic()
        if self._first is None:
            self._first = now
        elif now - self._first > self._limit:
            raise lost


_OPAQUE = (HostFault, ActionFailed, DeadlineExceeded)


async def _going_down(ctx: InstanceContext, error: GaplessError) -> bool:
    """Whether a failure only says that the host is shutting down: systemd refuses everything
    then. What becomes of the step is known when the host is back."""
    if not isinstance(error, _OPAQUE) or not ctx.runtime.unit:
        return False
    question = Command(("systemctl", "is-system-running"), timeout=5.0)
    try:
        done = await ctx.transport.run(question)
    except LostContact:
        return True
    except GaplessError:
        return False
    said = done.stdout.strip()
    return said == "stopping" or (said in ("", "offline", "unknown") and "bus" in done.stderr)


async def _attempt(step: Step, ctx: InstanceContext, key: str) -> Facts:
    rollout = ctx.rollout
    record = rollout.steps.get(key)
    attempt = record.attempt if record else 0
    if record is not None and not record.closed:
        recovering = step.recover(ctx, record, ctx.action_key(key, attempt))
        facts = await (_cut_short(ctx, recovering) if step.cut_short else recovering)
        if facts is not None:
            _succeed(step, ctx, key, attempt, StepState.OBSERVED, facts)
            return facts
    attempt += 1
    before = await _cut_short(ctx, step.observe(ctx))
    started = rollout.clock.monotonic()
    event = ctx.event("step.started", step.kind, attempt=attempt)
    rollout.begin(key, attempt, before, event, durable=step.critical)
    acting = step.act(ctx, before, ctx.action_key(key, attempt))
    facts = await (_cut_short(ctx, acting) if step.cut_short else acting)
    seconds = round(rollout.clock.monotonic() - started, 3)
    _succeed(step, ctx, key, attempt, StepState.DONE, facts, seconds)
    return facts


async def close_open(step: Step, ctx: InstanceContext) -> None:
    """Close an intent that a crash left open, from what its host says became of it; one that never
    ran stays open. Raises TransportError when the host cannot be asked."""
    key = ctx.key(step.kind)
    record = ctx.rollout.steps.get(key)
    if record is None or record.closed:
        return
    try:
        facts = await step.recover(ctx, record, ctx.action_key(key, record.attempt))
    except TransportError:
        raise
    except GaplessError as error:
        _fail(step, ctx, key, error)
        return
    if facts is not None:
        _succeed(step, ctx, key, record.attempt, StepState.OBSERVED, facts)


async def _cut_short(ctx: InstanceContext, work: Any) -> Any:
    """Await ``work`` unless a person asks for the undo first, at the keyboard or by ``abort``; the
    work is then cancelled, and with it what it started on the host."""
    task = asyncio.ensure_future(work)
    undo = asyncio.ensure_future(ctx.rollout.interrupts.undo.wait())
    ear = asyncio.ensure_future(_listen(ctx))
    try:
        await asyncio.wait({task, undo}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise UndoRequested("the undo of the current batch was asked for", where=ctx.host)
        return task.result()
    finally:
        for waiting in (task, undo, ear):
            if not waiting.done():
                waiting.cancel()
        await asyncio.gather(task, undo, ear, return_exceptions=True)


async def _listen(ctx: InstanceContext) -> NoReturn:
    while True:
        await ctx.rollout.clock.sleep(LISTEN_EVERY)
        ctx.rollout.listen()


def _succeed(
    step: Step,
    ctx: InstanceContext,
    key: str,
    attempt: int,
    state: StepState,
    facts: Facts,
    seconds: float = 0.0,
) -> None:
    kind = "step.observed" if state is StepState.OBSERVED else "step.succeeded"
    shown = {name: facts[name] for name in step.shown if name in facts}
    copy = {"copy": ctx.slot} if ctx.slot else {}
    event = ctx.event(kind, step.kind, seconds=seconds, **shown, **copy)
    ctx.rollout.finish(key, attempt, state, facts, event)
    if step.kind is StepKind.MIGRATE:
        ctx.emit("migration.succeeded", step.kind, **shown)


def _fail(
    step: Step, ctx: InstanceContext, key: str, error: GaplessError, log: str = ""
) -> GaplessError:
    record = ctx.rollout.steps.get(key)
    data = failure_data(error)
    if log:
        data["log"] = log
    event = ctx.event("step.failed", step.kind, **data)
    ctx.rollout.finish(key, record.attempt if record else 1, StepState.FAILED, data, event)
    if step.kind is StepKind.MIGRATE:
        ctx.emit("migration.failed", step.kind, **data)
    return error


def failure_data(error: GaplessError) -> dict[str, Any]:
    """What an event and the journal keep of an error."""
    data: dict[str, Any] = {
        "code": error.code,
        "kind": error.kind.value,
        "what": error.what,
        "evidence": error.evidence,
    }
    if error.next:
        data["next"] = error.next
    verdict = getattr(error, "verdict", None)
    if verdict is not None:
        data["verdict"] = verdict.to_json()
    return data


def failed_before(ctx: InstanceContext, record: StepRecord) -> StepError:
    """The failure the journal remembers, to be acted upon after a crash."""
    data: Mapping[str, Any] = record.result
    return StepError(
        data.get("what", "failed before the controller went away"),
        where=str(ctx.instance),
        evidence=data.get("evidence", ""),
    )


async def reconnect(ctx: InstanceContext, lost: LostContact) -> None:
    """Reach the host again; raises LostContact when its limit is over. A host that is going down
    still answers: there is always a moment before the next try."""
    clock = ctx.rollout.clock
    await clock.sleep(RECONNECT_EVERY)
    limit = ctx.rollout.assembly.reconnect_limit(ctx.host)
    began = clock.monotonic()
    deadline = began + limit
    ctx.emit("contact.lost", what=lost.what, limit=limit)
    while True:
        try:
            await ctx.transport.connect()
            ctx.emit("contact.back", seconds=round(clock.monotonic() - began, 3))
            return
        except TransportError as error:
            if clock.monotonic() >= deadline:
                raise LostContact(
                    f"the connection broke and the host did not come back within {limit:g} s",
                    where=ctx.host,
                    evidence=f"{lost.what}; last try: {error.what}",
                    next=f"gapless doctor --hosts {ctx.host}",
                ) from None
            await clock.sleep(RECONNECT_EVERY)
