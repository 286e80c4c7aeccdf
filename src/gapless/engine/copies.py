"""The two copies of an instance, while one takes the place of the other.

1. Which copy serves is asked in preflight and kept with its facts: whoever goes on after a crash
   means the same two.
2. Steps that look at, drain or end what was there speak of the old copy; all others of the new.
3. What is only moved in or out of traffic by hand has one copy, the one that serves.
4. What is taken away for good has one, too: that one is drained and ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gapless.drivers.runtimes.paired import Paired, beside, copy_of
from gapless.engine.context import InstanceContext
from gapless.engine.first_install import removes
from gapless.plans import StepKind

_OF_THE_OLD = frozenset((StepKind.PREFLIGHT, StepKind.SNAPSHOT, StepKind.DRAIN, StepKind.RETIRE))


async def on_live(ctx: InstanceContext) -> InstanceContext:
    """The instance by the copy that serves; as it is where there are no copies."""
    runtime = ctx.rollout.assembly.runtime(ctx.service.name, ctx.host)
    _, live = await copy_of(runtime, ctx.transport, ctx.instance)
    return ctx.of(live.slot, live.address) if live.slot else ctx


async def know_live(ctx: InstanceContext) -> None:
    """Rule 3: where no preflight has asked which copy serves, ask now."""
    if StepKind.PREFLIGHT in ctx.service.steps or not _has_slots(ctx):
        return
    if StepKind.PREFLIGHT not in ctx.facts:
        ctx.facts[StepKind.PREFLIGHT] = live_facts(await on_live(ctx))


def live_facts(ctx: InstanceContext) -> dict[str, str]:
    """What the journal keeps of the copy that serves."""
    return {"slot": ctx.slot, "address": ctx.address} if _has_slots(ctx) else {}


def replaces_beside(ctx: InstanceContext) -> bool:
    """Whether a new copy is started beside the old one."""
    moves = ctx.rollout.plan.verb.by_hand or removes(ctx)
    return ctx.service.start_first and not moves


def speaking_of(ctx: InstanceContext, kind: StepKind) -> InstanceContext:
    """The instance by the copy that a step is about."""
    if StepKind.PREFLIGHT not in ctx.facts or "slot" not in ctx.facts[StepKind.PREFLIGHT]:
        return ctx
    old = old_of(ctx)
    if kind in _OF_THE_OLD or not replaces_beside(ctx):
        return old if old.slot else ctx
    return new_of(ctx)


def old_of(ctx: InstanceContext) -> InstanceContext:
    """By the copy that served when we came; its slot is "" where none did."""
    found = ctx.facts.get(StepKind.PREFLIGHT, {})
    return ctx.of(found.get("slot", ""), found.get("address", ""))


def new_of(ctx: InstanceContext) -> InstanceContext:
    """By the copy that takes its place."""
    found = ctx.facts.get(StepKind.PREFLIGHT, {})
    return moved_by(ctx.of(beside(found.get("slot", ""))), ctx.facts.get(StepKind.SWITCH, {}))


def moved_by(ctx: InstanceContext, switched: Mapping[str, Any]) -> InstanceContext:
    """A copy where the switch that started it found it."""
    observation: Any = switched.get("observation") or {}
    return ctx.of(ctx.slot, observation.get("detail", {}).get("address", ""))


def is_none(ctx: InstanceContext) -> bool:
    """Whether a copy is meant that was never there: what comes first has no old one."""
    return _has_slots(ctx) and not ctx.slot


def order(ctx: InstanceContext) -> Iterator[StepKind]:
    """The steps of the plan as they come for this instance."""
    if not ctx.service.start_first:
        yield from ctx.service.steps
        return
    kinds = [kind for kind in ctx.service.steps if kind not in _OF_TWO]
    if not replaces_beside(ctx):  # rule 4: out of traffic first
        kinds.sort(key=lambda kind: _ENDS.get(kind, 1))
        yield from kinds
        return
    for kind in ctx.service.steps:
        if kind in (*_OF_TWO, StepKind.DRAIN) and not old_of(ctx).slot:
            continue  # nothing was there
        if kind is StepKind.SHIFT and not goes_first(ctx):
            continue
        yield kind


def goes_first(ctx: InstanceContext) -> bool:
    """Whether it is one of the canaries."""
    return any(batch.first for batch in ctx.service.batches if ctx.host in batch.hosts)


_OF_TWO = (StepKind.SHIFT, StepKind.PARK, StepKind.RETIRE)
"""What means nothing where there is but one copy."""
_ENDS = {StepKind.PREFLIGHT: 0, StepKind.SNAPSHOT: 0, StepKind.DRAIN: 0}


def _has_slots(ctx: InstanceContext) -> bool:
    return isinstance(ctx.rollout.assembly.runtime(ctx.service.name), Paired)
