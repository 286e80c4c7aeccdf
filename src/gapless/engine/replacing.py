"""Replacing one instance: its steps in the order of the plan, or all the way back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gapless.engine.context import InstanceContext
from gapless.engine.copies import know_live, order, replaces_beside, speaking_of
from gapless.engine.first_install import NOTHING_TO_ASK, removes, stay_out, was_absent
from gapless.engine.held import Held, held_data, hold
from gapless.engine.journal import StepState
from gapless.engine.member_back import StaysUp
from gapless.engine.members import evacuate_again
from gapless.engine.neighbour_members import evacuate_neighbours_again
from gapless.engine.opening import OUT_OF_SERVICE
from gapless.engine.perform import failure_data, perform
from gapless.engine.steps.health import worst
from gapless.engine.steps.lifecycle import STEPS
from gapless.engine.steps.preflight import examine
from gapless.engine.together import OthersHeld, meetings, waits_with_others
from gapless.engine.undoing import NOT_TOUCHED, give_up, tell_by_hand, undo_instance
from gapless.engine.undoing_beside import undo_beside
from gapless.errors import (
    FailureKind,
    FenceRefused,
    FloorBroken,
    GaplessError,
    HostFault,
    NotRestored,
    StepError,
    TransportError,
    UndoRequested,
)
from gapless.model import PERHAPS_OUT
from gapless.plans import StepKind, Verb


class InstanceOutcome(StrEnum):
    """How one instance ended."""

    DONE = "done"
    RESTORED = "restored"
    """Failed after the switch; the old one runs and passed the same checks."""
    UNTOUCHED = "untouched"
    """Failed before anything running was changed."""
    BROKEN = "broken"
    """The way back failed."""
    LOST = "lost"
    """Could not be reached before anything was done."""
    STAYED = "stayed"
    """New and healthy: the floor, or others of its cluster, refused its way back before anything of
    it was changed."""
    DOWN = "down"
    """Not touched, and it does not serve when the rollout ends."""
    HELD = "held"
    """New and healthy: a person is asked to judge its evidence. Never its last word."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One instance's outcome; ``error`` data says why it is not DONE."""

    host: str
    outcome: InstanceOutcome
    error: Mapping[str, Any]
    cancelled: bool = False

    @property
    def good(self) -> bool:
        """Whether it is DONE."""
        return self.outcome is InstanceOutcome.DONE

    @property
    def failed(self) -> bool:
        """Whether it is not DONE, and does not wait for a person either."""
        return self.outcome not in (InstanceOutcome.DONE, InstanceOutcome.HELD)


async def replace_instance(ctx: InstanceContext, migrating: asyncio.Lock) -> Replaced:
    """Run every step; on failure undo. Only FenceRefused and cancellation escape."""
    recorded = _recorded(ctx)
    if recorded is not None:
        return recorded
    floor = ctx.rollout.floors[ctx.service.name]
    started = ctx.rollout.clock.monotonic()
    serves = True
    try:
        await _forward(ctx, migrating)
        result = Replaced(ctx.host, InstanceOutcome.DONE, {})
        serves = _stays_in(ctx)
    except FenceRefused:
        raise
    except Held as held:
        hold(ctx, held)
        for meeting in meetings(ctx.rollout, ctx.service).values():
            meeting.hold(ctx.host)
        await floor.back(ctx.host, serves=True)
        return Replaced(ctx.host, InstanceOutcome.HELD, held_data(held))
    except OthersHeld:
        await floor.back(ctx.host, serves=True)
        return Replaced(ctx.host, InstanceOutcome.HELD, waits_with_others())
    except GaplessError as error:
        for meeting in meetings(ctx.rollout, ctx.service).values():
            meeting.fail(ctx.host)
        result = await _back(ctx, error)
        serves = _serves(ctx, result, error)
    await floor.back(ctx.host, serves=serves)
    _record(ctx, result, ctx.rollout.clock.monotonic() - started, serves=serves)
    return result


def _stays_in(ctx: InstanceContext) -> bool:
    """Whether clients reach an instance that came through: not one that is gone, and not one that a
    person wants out."""
    gone = removes(ctx) or ctx.rollout.plan.verb is Verb.DRAIN
    return not gone and not _drained_by_hand(ctx)


def _drained_by_hand(ctx: InstanceContext) -> bool:
    return bool(ctx.facts.get(StepKind.DRAIN, {}).get("by_hand"))


def _serves(ctx: InstanceContext, result: Replaced, error: GaplessError) -> bool:
    """Whether a failed instance counts for the floor: one that was taken back passed its checks;
    one that was not touched counts when it was fit and its host answers."""
    if result.outcome is InstanceOutcome.BROKEN or was_absent(ctx.facts.get(StepKind.SNAPSHOT, {})):
        return False
    if result.outcome is InstanceOutcome.RESTORED:
        return not _drained_by_hand(ctx)
    if ctx.host in ctx.rollout.floors[ctx.service.name].broken:
        return False
    gone = isinstance(error, TransportError) and not isinstance(error, HostFault)
    return not gone and (StepKind.PREFLIGHT in ctx.facts or result.cancelled)


async def take_held_back(ctx: InstanceContext) -> Replaced:
    """An instance that waits for a person goes back with all others: nobody judges it any more."""
    floor = ctx.rollout.floors[ctx.service.name]
    started = ctx.rollout.clock.monotonic()
    try:
        await floor.leave(ctx.host)
        result = await _back(ctx, UndoRequested("the rollout was aborted", where=ctx.host))
    except FloorBroken as refused:
        result = Replaced(ctx.host, InstanceOutcome.STAYED, failure_data(refused))
    serves = result.outcome is not InstanceOutcome.BROKEN
    await floor.back(ctx.host, serves=serves)
    _record(ctx, result, ctx.rollout.clock.monotonic() - started, serves=serves)
    return result


async def move_instance_back(ctx: InstanceContext) -> Replaced:
    """An instance that was drained or admitted by hand is again what it was before."""
    started = ctx.rollout.clock.monotonic()
    result = await _back(ctx, UndoRequested("it was aborted", where=ctx.host))
    serves = result.outcome is InstanceOutcome.UNTOUCHED and ctx.rollout.plan.verb is Verb.DRAIN
    _record(ctx, result, ctx.rollout.clock.monotonic() - started, serves=serves)
    return result


async def lose_instance(ctx: InstanceContext, error: GaplessError) -> Replaced:
    """Its host cannot be reached. Nothing was done to it, or an earlier controller began: then it
    is left half-done, and a person gets the commands. Either is its last word in this rollout."""
    recorded = _recorded(ctx)
    if recorded is not None:
        return recorded
    lost = Replaced(ctx.host, InstanceOutcome.LOST, failure_data(error))
    if any(ctx.key(kind) in ctx.rollout.steps for kind in OUT_OF_SERVICE):
        _recall_facts(ctx)
        failed = await give_up(ctx, error)
        lost = Replaced(ctx.host, InstanceOutcome.BROKEN, _not_restored(failed, error))
    elif ctx.rollout.plan.verb is Verb.ROLLBACK:
        tell_by_hand(ctx, error)
    _record(ctx, lost, 0.0, serves=False)
    return lost


def _recorded(ctx: InstanceContext) -> Replaced | None:
    """How it ended, when the journal knows."""
    record = ctx.rollout.steps.get(ctx.key("outcome"))
    if record is None or not record.closed:
        return None
    outcome = InstanceOutcome(record.result["outcome"])
    return Replaced(ctx.host, outcome, record.result.get("error", {}))


async def _forward(ctx: InstanceContext, migrating: asyncio.Lock) -> None:
    floor = ctx.rollout.floors[ctx.service.name]
    met = meetings(ctx.rollout, ctx.service) if replaces_beside(ctx) else {}
    await know_live(ctx)
    out = False
    try:
        async with asyncio.timeout(ctx.rollout.plan.host_deadline or None) as limit:
            for kind in order(ctx):
                if ctx.rollout.interrupts.undo.is_set():
                    raise UndoRequested("the undo of the current batch was asked for")
                if kind in OUT_OF_SERVICE and not out:
                    # what goes for good was no part of the floor before
                    if not removes(ctx) and not replaces_beside(ctx):
                        async with _no_part_of(limit):
                            await floor.leave(ctx.host)
                    out = True
                if kind in NOTHING_TO_ASK and removes(ctx):
                    if kind is StepKind.ADMIT:
                        await stay_out(ctx)
                    continue
                if kind in met and ctx.key(kind) not in ctx.rollout.steps:
                    async with _no_part_of(limit):
                        await met[kind].arrive(ctx.host, ctx.rollout.interrupts)
                if kind is StepKind.SWITCH:
                    # its own cluster last: what is moved of others' takes time
                    await evacuate_neighbours_again(ctx)
                    await evacuate_again(ctx)
                if kind is StepKind.MIGRATE:
                    async with _no_part_of(limit):
                        await migrating.acquire()
                    try:
                        ctx.facts[kind] = await perform(STEPS[kind], speaking_of(ctx, kind))
                    finally:
                        migrating.release()
                else:
                    ctx.facts[kind] = await perform(STEPS[kind], speaking_of(ctx, kind))
    except TimeoutError:
        raise StepError(
            f"the instance was not done within {ctx.rollout.plan.host_deadline:g} s",
            where=str(ctx.instance),
            next="raise defaults.host_deadline if that is too short",
        ) from None


@contextlib.asynccontextmanager
async def _no_part_of(limit: asyncio.Timeout) -> AsyncIterator[None]:
    """Time that an instance waits for others is none of its own."""
    end, loop = limit.when(), asyncio.get_running_loop()
    began = loop.time()
    limit.reschedule(None)
    yield
    limit.reschedule(None if end is None else end + loop.time() - began)


async def _back(ctx: InstanceContext, error: GaplessError) -> Replaced:
    cancelled = error.kind is FailureKind.CANCELLED
    touched = ctx.key(StepKind.SWITCH) in ctx.rollout.steps
    _recall_facts(ctx)
    try:
        await know_live(ctx)
    except GaplessError as unknown:
        failed = await give_up(ctx, unknown)
        return Replaced(ctx.host, InstanceOutcome.BROKEN, _not_restored(failed, error), cancelled)
    if touched and ctx.rollout.plan.verb is Verb.ROLLBACK:
        # a rollback is never rolled back: a person decides where to go from here
        failed = await give_up(ctx, error)
        return Replaced(ctx.host, InstanceOutcome.BROKEN, _not_restored(failed, error), cancelled)
    try:
        if replaces_beside(ctx):
            restored = await undo_beside(ctx)
        else:
            restored = await undo_instance(ctx, cancelled=cancelled)
    except NotRestored as failed:
        told = {**_not_restored(failed, error), **await _standing(ctx, touched=touched)}
        if _is_held(ctx, failed):
            return Replaced(ctx.host, InstanceOutcome.STAYED, {**told, "held": True}, cancelled)
        return Replaced(ctx.host, InstanceOutcome.BROKEN, told, cancelled)
    back = restored != NOT_TOUCHED
    outcome = InstanceOutcome.RESTORED if back else InstanceOutcome.UNTOUCHED
    if ctx.rollout.plan.verb is Verb.ROLLBACK and isinstance(error, FloorBroken):
        outcome = InstanceOutcome.STAYED
    elif ctx.rollout.plan.verb is Verb.ROLLBACK and not cancelled:
        tell_by_hand(ctx, error)
    return Replaced(ctx.host, outcome, failure_data(error), cancelled)


def _is_held(ctx: InstanceContext, failed: NotRestored) -> bool:
    """Whether it runs and is well, and only others keep it from going back. What was taken out of
    traffic stays out, so that one serves nobody."""
    cause = failed.__cause__
    return isinstance(cause, StaysUp) and cause.well and StepKind.DRAIN not in ctx.service.steps


async def _standing(ctx: InstanceContext, *, touched: bool) -> dict[str, str]:
    """What was not switched may run and pass as before, with nobody knowing whether it gets
    traffic: empty when it cannot be told, as when its checks are left out."""
    if touched or ctx.rollout.plan.force or was_absent(ctx.facts.get(StepKind.SNAPSHOT, {})):
        return {}
    try:
        passes = worst(await examine(ctx)) is None
    except GaplessError:
        return {}
    return {"now": PERHAPS_OUT} if passes else {}


def _not_restored(failed: NotRestored, error: GaplessError) -> dict[str, Any]:
    """With whether anybody knows what became of it."""
    unknown = isinstance(failed.__cause__ or error, TransportError)
    return {**failure_data(failed), **({"unknown": True} if unknown else {})}


def _recall_facts(ctx: InstanceContext) -> None:
    """After a crash the undo needs what the journal knows of the steps before."""
    for kind in ctx.service.steps:
        record = ctx.rollout.steps.get(ctx.key(kind))
        if record is not None and record.good:
            ctx.facts.setdefault(kind, record.result)


def _record(ctx: InstanceContext, result: Replaced, seconds: float, *, serves: bool) -> None:
    state = StepState.DONE if result.good else StepState.FAILED
    data: dict[str, Any] = {
        "outcome": result.outcome.value,
        "seconds": round(seconds, 3),
        "error": dict(result.error),
    }
    event = ctx.event("instance.done" if result.good else "instance.failed", "", **data)
    ctx.rollout.finish(ctx.key("outcome"), 1, state, {**data, "serves": serves}, event)
