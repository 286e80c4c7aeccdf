"""A host obeys somebody else in the middle of a rollout, or when it is to go on: what was changed
up to then, and what a person can do."""

from __future__ import annotations

from dataclasses import replace

from gapless.engine.context import RolloutContext
from gapless.engine.journal import RolloutState
from gapless.engine.outcome import Ending
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.rollback import after, interrupted_rollback, recall_rollbacks
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.engine.serving import left_alone, serving_now
from gapless.engine.standing import ways_on
from gapless.errors import FenceRefused, LockHeld
from gapless.plans import ServicePlan, StepKind

HALF_WAY = "in the middle of its replacement"
_AS_BEFORE = (InstanceOutcome.UNTOUCHED, InstanceOutcome.LOST)


def superseded(ctx: RolloutContext, error: FenceRefused | LockHeld) -> Ending:
    """Nothing was changed: somebody else owns the service. Else a person is needed: the rollout
    neither goes on nor back, and can do either."""
    results = {service.name: _so_far(ctx, service) for service in ctx.plan.services}
    recall_rollbacks(ctx, results)
    _on_the_way_back(ctx, results)
    outcome, code = ("mixed", 5) if _changed(ctx, results) else ("lock_held", 6)
    owner = [error.next] if isinstance(error, LockHeld) else []
    stopped = replace(ctx.record, state=RolloutState.INTERRUPTED)
    return Ending(
        outcome,
        code,
        error,
        serving={name: serving_now(ctx, result) for name, result in results.items()},
        untouched={n: left for n, result in results.items() if (left := left_alone(ctx, result))},
        next="\n".join([*owner, ways_on(stopped)]),
    )


def _so_far(ctx: RolloutContext, service: ServicePlan) -> ServiceResult:
    found = {host: _found(ctx, service, host) for host in service.hosts}
    instances = {host: replaced for host, replaced in found.items() if replaced is not None}
    return ServiceResult(service.name, ServiceOutcome.STOPPED, instances)


def _on_the_way_back(ctx: RolloutContext, results: dict[str, ServiceResult]) -> None:
    child = interrupted_rollback(ctx)
    for service, host in child.plan.instances() if child else ():
        replaced = _found(child, service, host) if child else None
        if replaced is not None:
            back = Replaced(host, after(replaced.outcome), replaced.error)
            results[service.name].instances[host] = back


def _found(ctx: RolloutContext, service: ServicePlan, host: str) -> Replaced | None:
    """How it ended, or that nobody knows because it did not; None: nothing was done to it."""
    record = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
    if record is not None and record.closed:
        return Replaced(
            host, InstanceOutcome(record.result["outcome"]), record.result.get("error", {})
        )
    if service.step_key(host, StepKind.DRAIN) in ctx.steps or _did(ctx, service, host):
        return Replaced(host, InstanceOutcome.BROKEN, {"now": HALF_WAY})
    return None


def _did(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    key = service.step_key(host, StepKind.SWITCH)
    return key in ctx.steps and not _kept_from(ctx, key)


def _kept_from(ctx: RolloutContext, key: str) -> bool:
    """Whether the host refused its first try, so that nothing came of it."""
    return key in ctx.refused and ctx.steps[key].attempt == 1


def _changed(ctx: RolloutContext, results: dict[str, ServiceResult]) -> bool:
    for service in ctx.plan.services:
        migration = service.step_key("", StepKind.MIGRATE)
        if migration in ctx.steps and not _kept_from(ctx, migration):
            return True
    instances = (found for result in results.values() for found in result.instances.values())
    return any(found.outcome not in _AS_BEFORE for found in instances)
