"""Whether a rollout left something that is neither as before nor as wanted."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.engine.context import RolloutContext
from gapless.engine.replacing import InstanceOutcome
from gapless.engine.schema_back import is_unknown
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.plans import ServicePlan, StepKind, Verb

_NOT_RIGHT = frozenset(
    (InstanceOutcome.BROKEN, InstanceOutcome.LOST, InstanceOutcome.STAYED, InstanceOutcome.DOWN)
)
"""Neither as before nor as wanted, or nobody knows."""


def mixed(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Whether a service ended with some instances new and some old, or one broken, or is new on
    top of one that is old (its failures were tolerated or accepted). A host that was lost before
    the first change is as before where nothing else was changed."""
    if ctx.unsettled or _new_on_old(ctx, results):
        return True
    nothing = _nothing_done(ctx, results)
    for result in results.values():
        migration = ctx.steps.get(ctx.plan.service(result.service).step_key("", StepKind.MIGRATE))
        if migration is not None and is_unknown(migration):
            return True
        states = {replaced.outcome for replaced in result.instances.values()}
        if states & _NOT_RIGHT and not nothing:
            return True
        if result.outcome is ServiceOutcome.DONE and not result.failed:
            continue
        if ctx.plan.verb is not Verb.RESTART and InstanceOutcome.DONE in states:
            return True
    return False


def _nothing_done(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Of a rollout that goes on nobody knows when its lost hosts were lost."""
    return not ctx.again and all(
        replaced.outcome is InstanceOutcome.UNTOUCHED
        or (replaced.outcome is InstanceOutcome.LOST and (name, replaced.host) in ctx.lost)
        for name, result in results.items()
        for replaced in result.instances.values()
    )


def _new_on_old(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    if ctx.plan.verb is Verb.RESTART:
        return False
    services = [ctx.plan.service(name) for name in results]
    new = {service.name for service in services if _any_new(service, results[service.name])}
    return any(
        service.name in new and any(name in results and name not in new for name in service.after)
        for service in services
    )


def _any_new(service: ServicePlan, result: ServiceResult) -> bool:
    goal = service.to.get("name")
    done = (replaced.host for replaced in result.instances.values() if replaced.good)
    return any(
        goal is None or service.from_.get(host) != goal or _new_files(service, host)
        for host in done
    )


def _new_files(service: ServicePlan, host: str) -> bool:
    return service.config.get(host) != service.config_from.get(host)
