"""The way back of a service: a new plan computed from what was switched, linked to its rollout."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from gapless.engine.context import RolloutContext
from gapless.engine.floor import Floor
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import RolloutRecord, RolloutState, StepRecord
from gapless.engine.opening import floor_of, recall_floor
from gapless.engine.recalling import recall
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.plans import Plan, ServicePlan, StepKind, Verb
from gapless.undo import rollback_plan

NOT_BEGUN: Mapping[str, Any] = {"what": "its way back was not begun"}
Runner = Callable[[RolloutContext, Gatekeeper], Awaitable[dict[str, ServiceResult]]]


async def roll_back(
    ctx: RolloutContext, doomed: list[str], results: dict[str, ServiceResult], run: Runner
) -> None:
    """Take back every instance of ``doomed`` that runs the new state; rewrites ``results``."""
    begun = interrupted_rollback(ctx)
    if begun is not None:
        await _take_back(ctx, begun, results, run)
        doomed = [name for name in doomed if name not in begun.record.services]
    child = _new(ctx, doomed, results)
    if child is not None:
        await _take_back(ctx, child, results, run)


async def _take_back(
    ctx: RolloutContext, child: RolloutContext, results: dict[str, ServiceResult], run: Runner
) -> None:
    ctx.emit("rollback.started", data={"rollout": child.record.id, "hosts": _hosts(child.plan)})
    back = await run(child, Gatekeeper(child))
    good = all(r.outcome is ServiceOutcome.DONE and not r.failed for r in back.values())
    for name, result in back.items():
        _rewrite(results[name], result, child.plan.service(name))
    outcome, code = ("done", 0) if good else ("mixed", 5)
    kind = "rollback.succeeded" if good else "rollback.failed"
    data = {"outcome": outcome, "hosts": _hosts(child.plan), **({} if good else _stopped(back))}
    event = child.event(kind, data=data)
    ctx.observer(
        ctx.journal.close_rollout(child.record.id, RolloutState.ENDED, outcome, code, event)
    )


def _hosts(plan: Plan) -> list[str]:
    return [f"{service.name}@{host}" for service, host in plan.instances()]


def switched(
    plan: Plan, steps: Mapping[str, StepRecord], services: list[str]
) -> dict[str, dict[str, Any]]:
    """Per service and host the snapshot of every instance that ended on the new state and has
    something to go back to."""
    targets: dict[str, dict[str, Any]] = {}
    for name in services:
        service = plan.service(name)
        for host in service.hosts:
            outcome = steps.get(f"{service.key_prefix}/{host}/{name}/outcome")
            kept = steps.get(service.step_key(host, StepKind.SNAPSHOT))
            staged = steps.get(service.step_key(host, StepKind.STAGE))
            if outcome is None or kept is None:
                continue
            if outcome.result.get("outcome") == InstanceOutcome.DONE and differs(
                plan, service, kept.result, staged.result if staged else {}
            ):
                targets.setdefault(name, {})[host] = dict(kept.result)
    return targets


def differs(
    plan: Plan, service: ServicePlan, kept: Mapping[str, Any], staged: Mapping[str, Any]
) -> bool:
    """Whether going back changes anything: a restart of the same release, with the files it had,
    has nothing to undo. ``staged`` is what the stage found out."""
    if plan.verb is Verb.RESTART:
        return False
    release = kept.get("release")
    another = (release or {}).get("name") != service.to.get("name") or not service.to
    return another or bool(staged.get("config_new") or staged.get("file_new"))


def _new(
    ctx: RolloutContext, doomed: list[str], results: Mapping[str, ServiceResult]
) -> RolloutContext | None:
    targets = {
        name: {host: kept for host, kept in found.items() if _new_still(results[name], host)}
        for name, found in switched(ctx.plan, ctx.steps, doomed).items()
    }
    targets = {name: found for name, found in targets.items() if found}
    if not targets:
        return None
    now = ctx.clock.now()
    failed = {name: [r.host for r in results[name].failed] for name in targets}
    plan = rollback_plan(ctx.plan, targets, now=now, parent=ctx.record.id, failed=failed)
    number = len(ctx.journal.children(ctx.record.id)) + 1
    record = RolloutRecord(
        id=f"{ctx.record.id}-undo{number}",
        project=plan.project,
        verb=plan.verb.value,
        services=tuple(service.name for service in plan.services),
        digest=plan.digest,
        actor=ctx.record.actor,
        controller=ctx.record.controller,
        pid=os.getpid(),
        started=now,
        reason=f"takes {ctx.record.id} back",
        environment=ctx.record.environment,
        parent=ctx.record.id,
    )
    child = _child(ctx, record, plan, {})
    told = {"digest": plan.digest, "verb": plan.verb.value, "services": list(record.services)}
    event = child.event("rollout.planned", data=told)
    ctx.observer(ctx.journal.open_rollout(record, plan, event))
    return child


def _new_still(result: ServiceResult, host: str) -> bool:
    """What the journal says was switched is new, unless it is known to have gone back."""
    found = result.instances.get(host)
    return found is None or found.good


def recall_rollbacks(ctx: RolloutContext, results: dict[str, ServiceResult]) -> None:
    """What an earlier controller took back is not new any more, whatever its own steps say."""
    for record in ctx.journal.children(ctx.record.id):
        if record.state is not RolloutState.ENDED:
            continue
        _, plan = ctx.journal.load(record.id)
        steps = ctx.journal.steps(record.id)
        for service, host in plan.instances():
            outcome = steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
            if outcome is not None and service.name in results:
                kind = after(InstanceOutcome(outcome.result["outcome"]))
                error = outcome.result.get("error", {})
                results[service.name].instances[host] = Replaced(host, kind, error)


def interrupted_rollback(ctx: RolloutContext) -> RolloutContext | None:
    """The rollback a crash interrupted."""
    for record in ctx.journal.children(ctx.record.id):
        if record.state is not RolloutState.ENDED:
            _, plan = ctx.journal.load(record.id)
            child = _child(ctx, record, plan, dict(ctx.journal.steps(record.id)))
            recall(child)
            for service in plan.services:
                recall_floor(child, service)
            return child
    return None


def _child(
    ctx: RolloutContext, record: RolloutRecord, plan: Plan, steps: dict[str, StepRecord]
) -> RolloutContext:
    floors = {service.name: _same_floor(ctx, service) for service in plan.services}
    return replace(
        ctx,
        record=record,
        plan=plan,
        steps=steps,
        floors=floors,
        failed=set(),
        accepted=set(),
        judged={},
        held=set(),  # what waits for a person keeps nothing else from going back
        interrupts=Interrupts(),
    )


def _same_floor(ctx: RolloutContext, service: ServicePlan) -> Floor:
    """What is broken stays broken: going back must not take more out than going forward."""
    known = floor_of(ctx, ctx.plan.service(service.name))
    floor = Floor(service.name, known.hosts, service.floor, cluster=known.cluster)
    floor.broken.update(known.broken)
    floor.by_hand.update(known.by_hand)
    return floor


def after(back: InstanceOutcome) -> InstanceOutcome:
    """What an instance is when its way back ended so."""
    if back in (InstanceOutcome.STAYED, InstanceOutcome.LOST):
        return back
    good = back is InstanceOutcome.DONE
    return InstanceOutcome.RESTORED if good else InstanceOutcome.BROKEN


def _stopped(back: Mapping[str, ServiceResult]) -> dict[str, Any]:
    """Why what was not begun was not begun."""
    failed = [replaced for result in back.values() for replaced in result.failed]
    why = "; ".join(f"{r.host}: {r.error.get('what', r.outcome.value)}" for r in failed)
    return {"what": f"it was not begun, because the way back stopped before it: {why}"}


def _rewrite(result: ServiceResult, back: ServiceResult, plan: ServicePlan) -> None:
    """An instance that went back is no longer new; one whose way back was not begun is."""
    for host in plan.hosts:
        if host not in back.instances:
            result.instances[host] = Replaced(host, InstanceOutcome.STAYED, NOT_BEGUN)
    for host, replaced in back.instances.items():
        error = {} if replaced.good else replaced.error
        result.instances[host] = Replaced(host, after(replaced.outcome), error)
    if result.outcome is ServiceOutcome.DONE:
        result.outcome = ServiceOutcome.FAILED
        result.why = "taken back"
