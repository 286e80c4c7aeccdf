"""Taking one instance back, in reverse, and verifying the old one with the same checks.

1. Nothing was switched yet, or the switch failed before it changed anything: admit again what was
   drained (it never stopped being healthy), remove what was staged.
2. Otherwise, unless a person cut short a restart that came through (``well_already``): out of
   traffic if it is in it, leading nothing where it is a member of a cluster,
   restore unit files and release, start the old one.
3. The old one passes the same checks, goes back into traffic and is watched like the new one.
   Where there was none before the new one is removed, and that is all.
4. When that fails: leave it out of traffic, say so, and print the commands a person needs. What was
   only drained runs as it ran before: the command is to admit it, and not to stop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.engine.config_change import config_commands, unstage_config
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, replaces_beside, speaking_of
from gapless.engine.first_install import stay_out, was_absent
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import StepState
from gapless.engine.left_out import remember_again, remember_left_out
from gapless.engine.member_back import StaysUp, evacuate_to_go_back
from gapless.engine.members import restore_member
from gapless.engine.neighbour_members import restore_neighbours
from gapless.engine.neighbours_back import evacuate_neighbours_to_go_back
from gapless.engine.perform import close_open, failure_data, perform, reconnect
from gapless.engine.steps.lifecycle import STEPS
from gapless.engine.steps.migrate import began_on
from gapless.engine.steps.switch import Switch, release_commands
from gapless.engine.well_already import well_already
from gapless.errors import FenceRefused, GaplessError, LostContact, NotRestored
from gapless.model import AS_IT_WAS, NO_RELEASE, NOT_INSTALLED
from gapless.plans import StepKind, Verb

NOT_TOUCHED = "not touched"
"""What was restored when there was nothing to restore."""
_SWITCH = Switch()
_NOTHING_KEPT: Mapping[str, Any] = {"runtime": {}, "release": None}


async def undo_instance(ctx: InstanceContext, *, cancelled: bool = False) -> str:
    """Take the instance back; returns what was restored in words. ``cancelled``: a person wants
    that, and nothing failed. Raises NotRestored."""
    try:
        await settle_open(ctx)
    except GaplessError as error:
        raise await give_up(ctx, error) from error
    await restore_member(ctx)
    await restore_neighbours(ctx)
    if not begun(ctx, StepKind.SWITCH) or await _came_to_nothing(ctx):
        return await leave_as_it_was(ctx)
    ctx.emit("rollback.started", "switch", hosts=[ctx.host])
    started = ctx.rollout.clock.monotonic()
    back = way_back(ctx)
    try:
        if not cancelled or not await well_already(ctx, back):
            await _switch_back(ctx, back)
        if not was_absent(_snapshot(ctx)):
            await _let_in(ctx, back)
    except FenceRefused:
        raise
    except GaplessError as error:
        raise await give_up(ctx, error) from error
    restored = restored_to(ctx)
    seconds = round(ctx.rollout.clock.monotonic() - started, 3)
    ctx.emit("rollback.succeeded", "switch", seconds=seconds, restored=restored)
    return restored


async def settle_open(ctx: InstanceContext) -> None:
    """Actions that run apart from a session that died are waited for before they are undone."""
    migration = ctx.rollout.steps.get(ctx.key(StepKind.MIGRATE))
    if migration is not None and began_on(ctx, migration) is ctx:
        try:
            await close_open(STEPS[StepKind.MIGRATE], ctx)
        except LostContact as lost:
            await reconnect(ctx, lost)
            await close_open(STEPS[StepKind.MIGRATE], ctx)
    record = ctx.rollout.steps.get(ctx.key(StepKind.SWITCH))
    if record is None or record.closed:
        return
    for suffix in ("", "-fallback"):
        key = ctx.action_key(record.key, record.attempt) + suffix
        try:
            await ctx.transport.settle(key)
        except LostContact as lost:
            await reconnect(ctx, lost)
            await ctx.transport.settle(key)


async def _came_to_nothing(ctx: InstanceContext) -> bool:
    record = ctx.rollout.steps.get(ctx.key(StepKind.SWITCH))
    if (
        record is None
        or record.state is not StepState.FAILED
        or ctx.key("undo-switch") in ctx.rollout.steps
    ):
        return False
    try:
        return await _SWITCH.came_to_nothing(ctx, record)
    except GaplessError:
        return False  # it cannot be told: the whole way back finds out


def begun(ctx: InstanceContext, step: StepKind) -> bool:
    """Whether the journal holds the intent of a step."""
    return ctx.key(step) in ctx.rollout.steps


def drain_ordered(ctx: InstanceContext) -> bool:
    """Whether a balancer may have been told to take it out: one that could not even be asked how
    things are was told nothing."""
    record = ctx.rollout.steps.get(ctx.key(StepKind.DRAIN))
    return record is not None and bool(record.before)


async def leave_as_it_was(ctx: InstanceContext) -> str:
    """Nothing was switched: admit what was drained, remove what was staged."""
    if ctx.rollout.plan.verb is Verb.ADMIT:
        await _out_again(ctx)
    elif drain_ordered(ctx) and was_absent(_snapshot(ctx)):
        await stay_out(ctx)
    elif drain_ordered(ctx):
        try:
            if _may_have_gone_bad(ctx):
                await _step_back(ctx, StepKind.READY)
            await _step_back(ctx, StepKind.ADMIT)
        except FenceRefused:
            raise
        except GaplessError as error:
            raise await give_up(ctx, error) from error
    await clear_stage(ctx)
    return NOT_TOUCHED


async def clear_stage(ctx: InstanceContext) -> None:
    """Remove what was staged and is not live."""
    if begun(ctx, StepKind.STAGE) and ctx.service.to:
        await _unstage(ctx)
    if begun(ctx, StepKind.STAGE):
        await unstage_config(ctx)


def _may_have_gone_bad(ctx: InstanceContext) -> bool:
    """A drain by hand that is taken back long after it began: nobody looked at what it goes back
    to since. What was out everywhere before is not let in."""
    late = ctx.rollout.again or _came_through(ctx)
    balancers = {balancer.name for balancer in ctx.rollout.assembly.balancers(ctx.service.name)}
    record = ctx.rollout.steps[ctx.key(StepKind.DRAIN)]
    lets_in = not balancers <= set(record.before.get("out_before", ()))
    return ctx.rollout.plan.verb is Verb.DRAIN and late and lets_in


def _came_through(ctx: InstanceContext) -> bool:
    record = ctx.rollout.steps.get(ctx.key("outcome"))
    return record is not None and record.good


async def _out_again(ctx: InstanceContext) -> None:
    """An admit by hand that failed somewhere, or that is taken back: nobody may find it in traffic
    later, unless it was in before."""
    record = ctx.rollout.steps.get(ctx.key(StepKind.ADMIT))
    if record is None or not any(record.before.values()):
        return
    try:
        await _step_back(ctx, StepKind.DRAIN)
        await remember_again(ctx, record.before.get("remembered", {}))
    except FenceRefused:
        raise
    except GaplessError as error:
        raise await give_up(ctx, error) from error


async def _unstage(ctx: InstanceContext) -> None:
    release = ctx.rollout.assembly.release(ctx.service.name)
    before = ctx.facts.get(StepKind.SNAPSHOT, {}).get("release_name", "")
    ref = ReleaseRef.from_json(ctx.service.to)
    if release is None or ref.name == before:
        return
    try:
        await release.unstage(ctx.transport, ref)
    except GaplessError as error:  # a leftover folder harms nobody and the next stage reuses it
        ctx.emit("step.skipped", "stage", why=f"the staged release was left: {error.what}")


def way_back(ctx: InstanceContext) -> InstanceContext:
    """The same instance seen as a rollback of one, with its snapshot as the goal."""
    calm = _calm(ctx)
    snapshot = _snapshot(ctx)
    new = str(ctx.service.to.get("name", ""))
    from_ = {ctx.host: new} if new else ctx.service.from_
    service = replace(ctx.service, snapshots={ctx.host: snapshot}, from_=from_, to={})
    calm.rollout = replace(calm.rollout, plan=replace(calm.rollout.plan, verb=Verb.ROLLBACK))
    return InstanceContext(calm.rollout, service, ctx.host, dict(ctx.facts), undoing=True)


async def _step_back(ctx: InstanceContext, kind: StepKind) -> None:
    await perform(STEPS[kind], speaking_of(_calm(ctx), kind), ctx.key(f"undo-{kind.value}"))


def _calm(ctx: InstanceContext) -> InstanceContext:
    """Undo is not cut short by the person who asked for it."""
    rollout = replace(ctx.rollout, interrupts=Interrupts())
    return InstanceContext(rollout, ctx.service, ctx.host, ctx.facts, undoing=True)


def _snapshot(ctx: InstanceContext) -> Mapping[str, Any]:
    if ctx.rollout.plan.verb is Verb.ROLLBACK:
        kept: Mapping[str, Any] = ctx.service.snapshots.get(ctx.host, _NOTHING_KEPT)
        return kept
    return ctx.facts.get(StepKind.SNAPSHOT, _NOTHING_KEPT)


async def _switch_back(ctx: InstanceContext, back: InstanceContext) -> None:
    if StepKind.DRAIN in ctx.service.steps and begun(ctx, StepKind.ADMIT):
        await perform(STEPS[StepKind.DRAIN], back, ctx.key("undo-drain"))
    back.facts.pop(StepKind.STAGE, None)
    if ctx.key("undo-switch") not in ctx.rollout.steps:
        await evacuate_neighbours_to_go_back(back)
        await evacuate_to_go_back(back)
    await perform(STEPS[StepKind.SWITCH], back, ctx.key("undo-switch"))
    if was_absent(_snapshot(ctx)):
        await restore_neighbours(ctx)
        await stay_out(ctx)
        return
    back.facts[StepKind.READY] = await perform(
        STEPS[StepKind.READY], back, ctx.key("undo-ready")
    )  # fmt: skip
    if StepKind.REJOIN in ctx.service.steps:
        await perform(STEPS[StepKind.REJOIN], back, ctx.key("undo-rejoin"))


async def _let_in(ctx: InstanceContext, back: InstanceContext) -> None:
    if StepKind.ADMIT in ctx.service.steps:
        await perform(STEPS[StepKind.ADMIT], back, ctx.key("undo-admit"))
    await perform(STEPS[StepKind.SOAK], back, ctx.key("undo-soak"))


def restored_to(ctx: InstanceContext) -> str:
    """What it went back to, in words."""
    if was_absent(_snapshot(ctx)):
        return NOT_INSTALLED
    release = _snapshot(ctx).get("release")
    if release:
        return str(release["name"])
    if ctx.service.to:
        return NO_RELEASE
    return AS_IT_WAS


def tell_by_hand(ctx: InstanceContext, error: GaplessError) -> list[str]:
    """Say that the way back failed, and the commands that take it by hand; where nobody should
    stop it now, either, the one that shows what is wrong with the others."""
    manual = [_admit(ctx)] if _only_drained(ctx) else _commands(ctx)
    if isinstance(error, StaysUp):
        manual = [f"gapless doctor --hosts {','.join(ctx.service.hosts)}"]
    ctx.emit("rollback.failed", "switch", **failure_data(error), manual=manual)
    return manual


def _commands(ctx: InstanceContext) -> list[str]:
    """Stop, put everything back, start."""
    snapshot = RuntimeSnapshot.from_json(_snapshot(ctx).get("runtime", {}))
    manual = list(speaking_of(ctx, StepKind.SNAPSHOT).runtime.manual(snapshot))
    sudo = "" if snapshot.facts.get("privileged") is False else "sudo "
    back = way_back(ctx)
    moves = (*release_commands(back), *config_commands(back))
    manual[1:1] = [f"{sudo}{command}" for command in moves]
    if replaces_beside(ctx) and begun(ctx, StepKind.SWITCH):
        manual += [_admit(ctx), new_of(ctx).copy.end_by_hand()]
    return manual


def _admit(ctx: InstanceContext) -> str:
    return f"gapless admit {ctx.instance}"


def _only_drained(ctx: InstanceContext) -> bool:
    """It runs as it ran before. A rollback is on its way to another state, so it is not meant."""
    was_there = ctx.rollout.plan.verb is not Verb.ROLLBACK and not was_absent(_snapshot(ctx))
    return was_there and drain_ordered(ctx) and not begun(ctx, StepKind.SWITCH)


def _was_taken_out(ctx: InstanceContext) -> bool:
    """Whether that is known: an order that failed may have been heard or not."""
    record = ctx.rollout.steps.get(ctx.key(StepKind.DRAIN))
    return not _only_drained(ctx) or (record is not None and record.good)


async def give_up(ctx: InstanceContext, error: GaplessError) -> NotRestored:
    """The way back failed: leave the instance out of traffic, say so, and print the commands."""
    if ctx.rollout.plan.verb.by_hand:
        return _neither_in_nor_out(ctx, error)
    await restore_neighbours(ctx)
    manual = tell_by_hand(ctx, error)
    if StepKind.DRAIN in ctx.service.steps:
        if _was_taken_out(ctx):
            _tell_left_out(ctx)
        await remember_left_out(ctx, left_out=True)
    return NotRestored(
        f"the way back failed: {error.what}",
        where=str(ctx.instance),
        evidence=error.evidence,
        next="\n".join(manual),
    )


def _tell_left_out(ctx: InstanceContext) -> None:
    balancers = ctx.rollout.assembly.balancers(ctx.service.name)
    ctx.emit(
        "instance.left_out",
        "admit",
        balancer=", ".join(balancer.name for balancer in balancers),
        why="the way back failed, so it is not let into traffic",
        next=_into_traffic(ctx),
    )


def _into_traffic(ctx: InstanceContext) -> str:
    again = f"gapless restart {ctx.service.name} --hosts {ctx.host}"
    return _admit(ctx) if _only_drained(ctx) else again


def _neither_in_nor_out(ctx: InstanceContext, error: GaplessError) -> NotRestored:
    """Drained or admitted by hand, in some balancers perhaps: the same command once more ends it
    either way; what had come through wants the opposite."""
    verb = ctx.rollout.plan.verb
    if _came_through(ctx):
        verb = Verb.ADMIT if verb is Verb.DRAIN else Verb.DRAIN
    again = f"gapless {verb.value} {ctx.instance}"
    ctx.emit("rollback.failed", "switch", **failure_data(error), manual=[again])
    return NotRestored(
        f"the way back failed: {error.what}",
        where=str(ctx.instance),
        evidence=error.evidence,
        next=again,
    )
