"""An instance that waits for a person: it is new, it serves, and its evidence decides nothing.

1. It is neither done nor failed: its step stays open, nothing of it is taken back, and nothing new
   is begun anywhere. The rollout pauses. A share of the traffic beside an old copy is given back
   meanwhile (steps/shift.py).
2. The journal keeps why. ``resume`` works on the open step again: what is blamed on the environment
   is judged anew, from then on and against the untouched hosts alone; what lacked data is accepted
   as it is, unless it is worse by now.
3. ``abort`` takes it back like any instance under way.
"""

from __future__ import annotations

from enum import StrEnum

from gapless.engine.context import InstanceContext
from gapless.engine.journal import StepState
from gapless.model import Verdict

_KEY = "held"


class Why(StrEnum):
    """What a person is asked to judge."""

    ENVIRONMENT = "environment"
    """Errors rise where nothing was changed, too."""
    INSUFFICIENT = "insufficient"
    """There was too little data, and the policy is to ask."""


class Held(Exception):
    """Raised by a step; no failure."""

    def __init__(self, why: Why, verdict: Verdict) -> None:
        super().__init__(why.value)
        self.why = why
        self.verdict = verdict


def hold(ctx: InstanceContext, held: Held) -> None:
    """Remember it in the journal, and let nothing new begin."""
    record = ctx.rollout.steps.get(ctx.key(_KEY))
    reasons = [*sorted(held_before(ctx)), held.why.value]
    event = ctx.event(
        "instance.held", why=told(held), reason=held.why.value, verdict=held.verdict.to_json()
    )
    result = {"reasons": list(dict.fromkeys(reasons))}
    attempt = record.attempt + 1 if record else 1
    ctx.rollout.finish(ctx.key(_KEY), attempt, StepState.DONE, result, event)
    ctx.rollout.held.add((ctx.service.name, ctx.host))


def told(held: Held) -> str:
    """In words."""
    return _WORDS[held.why]


def held_data(held: Held) -> dict[str, str]:
    """What the outcome of the instance says meanwhile: why, and the arithmetic."""
    return {"what": told(held), "evidence": str(held.verdict)}


_WORDS = {
    Why.ENVIRONMENT: "environment: errors rise on hosts that were not touched, too",
    Why.INSUFFICIENT: "too little data to judge",
}


def judged_anew_since(ctx: InstanceContext) -> float:
    """Seconds since the epoch: when errors rose everywhere, and what was counted until then became
    no measure any more. 0 where that never was."""
    record = ctx.rollout.steps.get(ctx.key(_KEY))
    return record.ended if record and Why.ENVIRONMENT in held_before(ctx) else 0.0


def held_before(ctx: InstanceContext) -> frozenset[Why]:
    """What a person was asked to judge before, and let the rollout go on."""
    record = ctx.rollout.steps.get(ctx.key(_KEY))
    return frozenset(Why(why) for why in record.result["reasons"]) if record else frozenset()
