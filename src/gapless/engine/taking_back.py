"""What a rollout left to take back by hand: all that it switched and that is not old again.

1. An instance counts as switched from the intent of its switch on, however that ended: one whose
   way back failed, or whose host was lost, may run the new state as well as the old.
2. It is old again where its own way back, the rollback of its service or a later one by hand was
   done and verified.
3. A restart of the same release leaves nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from gapless.engine.journal import Journal, StepRecord
from gapless.engine.replacing import InstanceOutcome
from gapless.engine.rollback import differs
from gapless.plans import ServicePlan, StepKind, Verb

_AS_BEFORE = frozenset(
    (InstanceOutcome.RESTORED, InstanceOutcome.UNTOUCHED, InstanceOutcome.LOST)
)  # fmt: skip
_LATER = 200
"""Rollouts looked through for those that took an older one back."""


@dataclass(frozen=True, slots=True)
class Left:
    """Per service and host the snapshot it goes back to; ``broken`` are not known to be new."""

    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    broken: Mapping[str, Collection[str]] = field(default_factory=dict)


def left_by(journal: Journal, rollout: str, services: Collection[str]) -> Left:
    """What is left of a rollout, of these of its services."""
    _, plan = journal.load(rollout)
    steps = journal.steps(rollout)
    old = _old_again(journal, rollout)
    targets: dict[str, dict[str, Any]] = {}
    broken: dict[str, list[str]] = {}
    for service, host in plan.instances():
        name = service.name
        kept = steps.get(service.step_key(host, StepKind.SNAPSHOT))
        switch = steps.get(service.step_key(host, StepKind.SWITCH))
        staged = steps.get(service.step_key(host, StepKind.STAGE))
        if name not in services or kept is None or switch is None or (name, host) in old:
            continue
        outcome = _outcome(steps, service, host)
        found = staged.result if staged else {}
        if outcome in _AS_BEFORE or not differs(plan, service, kept.result, found):
            continue
        targets.setdefault(name, {})[host] = dict(kept.result)
        if outcome != InstanceOutcome.DONE:
            broken.setdefault(name, []).append(host)
    return Left(targets, broken)


def taken_back_by(journal: Journal, rollout: str) -> tuple[str, ...]:
    """Rollbacks by hand of a rollout, newest first."""
    later = takewhile(lambda record: record.id != rollout, journal.rollouts(_LATER))
    by_hand = (r.id for r in later if r.verb == Verb.ROLLBACK and not r.parent)
    return tuple(id_ for id_ in by_hand if journal.load(id_)[1].parent == rollout)


def deployed_since(
    journal: Journal, rollout: str, service: str, hosts: Collection[str]
) -> tuple[str, ...]:
    """Later deploys that are still live on any of these hosts, newest first."""
    later = takewhile(lambda record: record.id != rollout, journal.rollouts(_LATER))
    deploys = (r.id for r in later if r.verb == Verb.DEPLOY and not r.parent)
    left = {id_: left_by(journal, id_, [service]).targets.get(service, {}) for id_ in deploys}
    return tuple(id_ for id_, kept in left.items() if kept.keys() & {*hosts})


def _outcome(steps: Mapping[str, StepRecord], service: ServicePlan, host: str) -> str:
    """Its last word, "" when there is none."""
    record = steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
    return str(record.result.get("outcome", "")) if record else ""


def _old_again(journal: Journal, rollout: str) -> set[tuple[str, str]]:
    back = [*(record.id for record in journal.children(rollout)), *taken_back_by(journal, rollout)]
    return {instance for id_ in back for instance in _at_goal(journal, id_)}


def _at_goal(journal: Journal, rollout: str) -> set[tuple[str, str]]:
    """Instances a rollback brought back, and that nobody took forward again."""
    _, plan = journal.load(rollout)
    steps = journal.steps(rollout)
    done = {
        (service.name, host)
        for service, host in plan.instances()
        if _outcome(steps, service, host) == InstanceOutcome.DONE
    }
    forward = [_at_goal(journal, record.id) for record in journal.children(rollout)]
    return done.difference(*forward)
