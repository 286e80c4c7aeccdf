"""One service: its batches one after another, the canary first, until too many fail.

1. Failed instances are counted over all services of the rollout, those that were given up before
   anything was done to them from the beginning; what a person accepted with ``promote`` counts no
   more.
2. A service stops when a canary failed, when an instance of its own failed and more than its
   ``max_failed`` have in the whole rollout; whatever ``max_failed`` says, when a whole batch of two
   or more failed, or one whose old release had to be bumped over the schema of the new one. A batch
   of which nothing could be begun says nothing about the release.
3. Between two batches it waits as long as ``pause`` or the group says, and for a person where the
   group wants one. After a crash it waits for the rest of the time only.
4. Which members of a cluster are next is asked anew before each batch (reordering.py).
5. An instance that waits for a person's judgement of its evidence (held.py) holds the service, too,
   unless the service goes back whatever that person says: one failure too many waits for nobody.
6. Of a service that an earlier controller judged, or that depends on one that is not done any more,
   nothing new is begun: what was begun is brought to its end.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gapless.engine.approving import approval_after, approved
from gapless.engine.begun import closed, last_begun, was_begun
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.counting import count, count_lost, lifted_above, too_many_failed
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.opening import absent, floor_of
from gapless.engine.rates import open_benches
from gapless.engine.reordering import begun_first, in_fresh_order
from gapless.engine.replacing import (
    InstanceOutcome,
    Replaced,
    lose_instance,
    replace_instance,
)
from gapless.plans import Batch, ServicePlan, Verb
from gapless.schedule import pause_after


class ServiceOutcome(StrEnum):
    """How one service ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Not begun or not finished because the rollout was stopped."""
    WAITING = "waiting"
    """Not finished, or not begun, because a person has to approve first."""
    HELD = "held"
    """Not finished because a person is asked to judge the evidence of an instance."""
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
        """Instances that are not DONE, and not waiting for a person either."""
        return [replaced for replaced in self.instances.values() if replaced.failed]

    @property
    def held(self) -> list[Replaced]:
        """Instances whose evidence a person is asked to judge."""
        return [r for r in self.instances.values() if r.outcome is InstanceOutcome.HELD]


async def run_service(
    ctx: RolloutContext, service: ServicePlan, gate: Gatekeeper, *, held: bool = False
) -> ServiceResult:
    """Replace every instance, until too many fail or a person has to approve first. ``held``:
    begin nothing new."""
    result = ServiceResult(service.name)
    ctx.emit("service.started", service=service.name, data={"instances": len(service.hosts)})
    migrating = asyncio.Lock()
    floor_of(ctx, service)
    await _give_up_absent(ctx, service, result)
    count_lost(ctx, service)
    if service.name not in ctx.benches:  # one that goes on keeps what it read before
        await open_benches(ctx, service)
    service = begun_first(ctx, service)
    judged = ctx.judged.get(service.name)
    held, reached = held or judged is not None, last_begun(ctx, service)
    for number in itertools.count():
        service = await in_fresh_order(ctx, service, number)
        if number == len(service.batches):
            break
        batch = service.batches[number]
        settled = all(closed(ctx, service, host) for host in batch.hosts)
        if settled or (not held and await gate.open()):
            await _run_batch(ctx, service, batch, migrating, result)
        else:
            # nothing new is begun, but what a crash left half-done is brought to an end
            result.outcome = ServiceOutcome.STOPPED
            begun = tuple(host for host in batch.hosts if was_begun(ctx, service, host))
            await _run_batch(ctx, service, Batch(batch.name, begun), migrating, result)
            continue
        count(ctx, service, batch, result.instances)
        judging = judged is None and number >= reached
        if judging and too_many_failed(ctx, service, batch, result.instances):
            result.outcome = ServiceOutcome.FAILED
            result.why = _reason(ctx, service, result)
            break
        if result.held:
            break
        if not held and not await _go_on(ctx, service, number, gate, result):
            break
    if judged is False:
        result.outcome = ServiceOutcome.FAILED
        result.why = _reason(ctx, service, result)
    if result.held and not _goes_back(service, result):
        result.outcome = ServiceOutcome.HELD
        result.why = "; ".join(f"{r.host}: {r.error['what']}" for r in result.held)
    _tell(ctx, service, result)
    return result


def _goes_back(service: ServicePlan, result: ServiceResult) -> bool:
    return result.outcome is ServiceOutcome.FAILED and service.on_failure == "rollback"


async def _go_on(
    ctx: RolloutContext,
    service: ServicePlan,
    number: int,
    gate: Gatekeeper,
    result: ServiceResult,
) -> bool:
    """Wait before the next batch; False when it may not begin."""
    if number + 1 == len(service.batches):
        return True
    batch, following = service.batches[number], service.batches[number + 1]
    if any(was_begun(ctx, service, host) for host in following.hosts):
        return True
    await gate.wait(_left_of_pause(ctx, service, batch))
    if not batch.approve or gate.stopped:
        return True  # whether the next may begin, the gate says
    approval = approval_after(service, number)
    if await approved(ctx, gate, approval):
        return True
    result.outcome = ServiceOutcome.STOPPED if gate.stopped else ServiceOutcome.WAITING
    result.why = "" if gate.stopped else approval.why
    return False


def _left_of_pause(ctx: RolloutContext, service: ServicePlan, batch: Batch) -> float:
    """Seconds; a controller that goes on counts from when the batch ended."""
    pause = pause_after(service, batch)
    keys = (f"{service.key_prefix}/{host}/{service.name}/outcome" for host in batch.hosts)
    ended = max(ctx.steps[key].ended for key in keys)
    return max(0.0, min(pause, ended + pause - ctx.clock.now()))


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
    if lost is not None and not closed(ctx, service, host):
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


def _reason(ctx: RolloutContext, service: ServicePlan, result: ServiceResult) -> str:
    if not result.failed:
        return "taken back"
    first = result.failed[0]
    why = f"{first.host}: {first.error.get('what', first.outcome.value)}"
    lifted = ", ".join(lifted_above(ctx, service))
    return f"{why}; the old release on {lifted} is bumped above the new one" if lifted else why


def _tell(ctx: RolloutContext, service: ServicePlan, result: ServiceResult) -> None:
    kinds = {ServiceOutcome.DONE: "service.succeeded", ServiceOutcome.FAILED: "service.failed"}
    kind = kinds.get(result.outcome)
    if kind is not None:
        failed = [replaced.host for replaced in result.failed]
        ctx.emit(kind, service=service.name, data={"reason": result.why, "failed": failed})
