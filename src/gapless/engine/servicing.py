"""One service: its batches one after another, the canary first, until too many fail.

Failed instances are counted over all services of the rollout; what a person accepted with
``promote`` counts no more. Of a service that an earlier controller judged, or that depends on one
that is not done any more, nothing new is begun: what was begun is brought to its end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.opening import absent, floor_of
from gapless.engine.replacing import (
    InstanceOutcome,
    Replaced,
    lose_instance,
    replace_instance,
)
from gapless.plans import Batch, ServicePlan, Verb


class ServiceOutcome(StrEnum):
    """How one service ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Not begun or not finished because the rollout was stopped."""
    SKIPPED = "skipped"
    """Not begun because of what it depends on."""


@dataclass
class ServiceResult:
    """A service's outcome and that of each instance that was reached."""

    service: str
    outcome: ServiceOutcome = ServiceOutcome.DONE
    instances: dict[str, Replaced] = field(default_factory=dict)
    why: str = ""

    @property
    def failed(self) -> list[Replaced]:
        """Instances that are not DONE."""
        return [replaced for replaced in self.instances.values() if not replaced.good]


async def run_service(
    ctx: RolloutContext, service: ServicePlan, gate: Gatekeeper, *, held: bool = False
) -> ServiceResult:
    """Replace every instance; stops when a canary failed, or an instance of this service did and
    more than ``max_failed`` have in the whole rollout. ``held``: begin nothing new."""
    result = ServiceResult(service.name)
    ctx.emit("service.started", service=service.name, data={"instances": len(service.hosts)})
    migrating = asyncio.Lock()
    floor_of(ctx, service)
    await _give_up_absent(ctx, service, result)
    judged = ctx.judged.get(service.name)
    held, reached = held or judged is not None, _reached(ctx, service)
    for number, batch in enumerate(service.batches):
        settled = all(_closed(ctx, service, host) for host in batch.hosts)
        if settled or (not held and await gate.open()):
            await _run_batch(ctx, service, batch, migrating, result)
        else:
            # nothing new is begun, but what a crash left half-done is brought to an end
            result.outcome = ServiceOutcome.STOPPED
            begun = tuple(host for host in batch.hosts if was_begun(ctx, service, host))
            await _run_batch(ctx, service, Batch(batch.name, begun), migrating, result)
            continue
        _count(ctx, batch, result)
        judging = judged is None and number >= reached
        if judging and _too_many_failed(ctx, service, batch, result):
            result.outcome = ServiceOutcome.FAILED
            result.why = _reason(result)
            break
        if service.pause and number + 1 < len(service.batches) and not settled:
            await gate.wait(service.pause)
    if judged is False:
        result.outcome = ServiceOutcome.FAILED
        result.why = _reason(result)
    _tell(ctx, service, result)
    return result


def _closed(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    record = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
    return record is not None and record.closed


def was_begun(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    """Whether an earlier controller had to do with an instance."""
    return _closed(ctx, service, host) or InstanceContext(ctx, service, host).begun


def _reached(ctx: RolloutContext, service: ServicePlan) -> int:
    """The last batch that was begun: those before it were judged when they ended."""
    begun = (
        number
        for number, batch in enumerate(service.batches)
        if any(was_begun(ctx, service, host) for host in batch.hosts)
    )
    return max(begun, default=-1)


async def _run_batch(
    ctx: RolloutContext,
    service: ServicePlan,
    batch: Batch,
    migrating: asyncio.Lock,
    result: ServiceResult,
) -> None:
    if not batch.hosts:
        return
    data = {"batch": batch.name, "hosts": list(batch.hosts)}
    ctx.emit("batch.started", service=service.name, data=data)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_replace(ctx, service, host, migrating)) for host in batch.hosts]
    for task in tasks:
        replaced = task.result()
        result.instances[replaced.host] = replaced
    if all(task.result().good for task in tasks):
        ctx.emit("batch.succeeded", service=service.name, data=data)


async def _replace(
    ctx: RolloutContext, service: ServicePlan, host: str, migrating: asyncio.Lock
) -> Replaced:
    lost, instance = ctx.lost.get((service.name, host)), InstanceContext(ctx, service, host)
    if lost is not None and not _closed(ctx, service, host):
        return await lose_instance(instance, lost)
    replaced = await replace_instance(instance, migrating)
    back = replaced.outcome is InstanceOutcome.LOST and lost is None
    if back and ctx.plan.verb is not Verb.ROLLBACK:
        # it answers again, and nothing was done to it
        return replace(replaced, outcome=InstanceOutcome.UNTOUCHED)
    return replaced


async def _give_up_absent(ctx: RolloutContext, service: ServicePlan, result: ServiceResult) -> None:
    """What the plan could not touch counts as failed from the beginning."""
    for host in service.absent:
        error = ctx.lost.get((service.name, host)) or absent(ctx, service, host)
        result.instances[host] = await lose_instance(InstanceContext(ctx, service, host), error)
        floor_of(ctx, service).broken.add(host)
        ctx.failed.update({(service.name, host)} - ctx.accepted)


def _count(ctx: RolloutContext, batch: Batch, result: ServiceResult) -> None:
    failed = {(result.service, h) for h in batch.hosts if not result.instances[h].good}
    ctx.failed.update(failed - ctx.accepted)


def _too_many_failed(
    ctx: RolloutContext, service: ServicePlan, batch: Batch, result: ServiceResult
) -> bool:
    canary_failed = batch.name.startswith("canary") and any(
        (service.name, host) in ctx.failed for host in batch.hosts
    )
    broken = any(r.outcome is InstanceOutcome.BROKEN for r in result.failed)
    ours = any(name == service.name for name, _ in ctx.failed)
    return canary_failed or broken or (ours and len(ctx.failed) > service.max_failed)


def _reason(result: ServiceResult) -> str:
    if not result.failed:
        return "taken back"
    first = result.failed[0]
    return f"{first.host}: {first.error.get('what', first.outcome.value)}"


def _tell(ctx: RolloutContext, service: ServicePlan, result: ServiceResult) -> None:
    kinds = {ServiceOutcome.DONE: "service.succeeded", ServiceOutcome.FAILED: "service.failed"}
    kind = kinds.get(result.outcome)
    if kind is not None:
        failed = [replaced.host for replaced in result.failed]
        ctx.emit(kind, service=service.name, data={"reason": result.why, "failed": failed})
