"""Interprets a plan. The whole algorithm of a rollout:

 1. Hold the rollout's liveness, read the secrets of health questions, and claim every service on
    every host and balancer node concerned. Somebody else's claim refuses the rollout (exit 6).
 2. Compare the sources of releases with the plan, and examine every instance. A stale plan, or
    one unfit instance too many, refuses the rollout (exit 3); nothing was changed up to here.
 3. Begin services whose dependencies are done, those with the longest chain behind them first, up
    to ``parallel`` at the same time. Within a service: canary, then batches; never below the floor.
    Where a person has to approve the next group and nobody can be asked, the service waits; when
    all others have come to an end, too, the rollout pauses.
 4. A failed instance is undone at once. One failure too many (or a failed canary) fails the
    service: what depends on it is skipped, everything else goes on.
 5. A failed service goes back as its ``on_failure`` says: a new plan, computed from what the
    journal knows was switched and linked to this rollout, is interpreted by the same code.
 6. The outcome is what the journal holds: all new, all old, or a named mixed state. Before it says
    "all old", what was not touched is asked once more.

After a crash the same code runs again on the same journal: closed steps are taken as they are,
open ones are put to the host first.
"""

from __future__ import annotations

import asyncio

from gapless.engine.approving import granted_meanwhile
from gapless.engine.begun import was_begun
from gapless.engine.claims import claim_all, release_all
from gapless.engine.closing import look_again
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.header_secrets import read_secrets
from gapless.engine.journal import RolloutState
from gapless.engine.margins import tell_margins
from gapless.engine.moving_back import move_back
from gapless.engine.opening import examine_again, examine_all
from gapless.engine.outcome import Ending, ending_of
from gapless.engine.perform import failure_data
from gapless.engine.recalling import recall
from gapless.engine.replacing import take_held_back
from gapless.engine.rollback import interrupted_rollback, recall_rollbacks, roll_back
from gapless.engine.schema_back import take_schema_back
from gapless.engine.schema_bump import bump_the_rest
from gapless.engine.servicing import ServiceOutcome, ServiceResult, run_service
from gapless.engine.sources import compare_sources
from gapless.engine.superseding import superseded
from gapless.errors import FenceRefused, GaplessError, LockHeld
from gapless.plans import ServicePlan, Verb
from gapless.schedule import priorities


async def interpret(ctx: RolloutContext, *, resumed: bool) -> Ending:
    """Work on the rollout until it ends, pauses or is interrupted; never raises GaplessError."""
    try:
        await read_secrets(ctx)
        await claim_all(ctx)
        if not resumed:
            await compare_sources(ctx)
            await examine_all(ctx)
    except GaplessError as error:
        return await _refuse(ctx, error, resumed)
    ctx.emit("lock.taken", data={"services": [service.name for service in ctx.plan.services]})
    if ctx.plan.force:
        ctx.emit("force.used", reason=ctx.plan.force, data={"reason": ctx.plan.force})
    if not resumed:
        ctx.emit("rollout.started")
    gate = Gatekeeper(ctx)
    ctx.listen = gate.listen
    try:
        if resumed:
            recall(ctx)
            await examine_again(ctx)
        results = await run_services(ctx, gate)
        results = await _take_back(ctx, gate, results)
    except FenceRefused as error:
        return _superseded(ctx, error)
    except BaseExceptionGroup as group:
        refused = group.subgroup(FenceRefused)
        if refused is None:
            raise
        return _superseded(ctx, _first(refused))
    return await _close(ctx, gate, results)


async def run_services(ctx: RolloutContext, gate: Gatekeeper) -> dict[str, ServiceResult]:
    """Services in dependency order, as parallel as allowed, critical chain first."""
    urgency = priorities(ctx.plan.services)
    waiting = {service.name: service for service in ctx.plan.services}
    results: dict[str, ServiceResult] = {}
    async with asyncio.TaskGroup() as group:
        running: dict[asyncio.Task[ServiceResult], str] = {}
        while waiting or running or _approved_meanwhile(ctx, gate, waiting, results):
            _skip_orphans(ctx, waiting, results)
            ready = [service for service in waiting.values() if _may_begin(ctx, service, results)]
            ready.sort(key=lambda service: -urgency[service.name])
            for service in ready[: ctx.plan.parallel - len(running)]:
                del waiting[service.name]
                held = _blocker(service, results) is not None
                task = group.create_task(run_service(ctx, service, gate, held=held))
                running[task] = service.name
            if not running:
                break
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                results[running.pop(task)] = task.result()
    return results


def _approved_meanwhile(
    ctx: RolloutContext,
    gate: Gatekeeper,
    waiting: dict[str, ServicePlan],
    results: dict[str, ServiceResult],
) -> bool:
    """Whether a person approved while the others were at work: then what waited for that goes on,
    and what depends on it waits no more."""
    if gate.stopped:
        return False
    asking = [n for n, result in results.items() if result.outcome is ServiceOutcome.WAITING]
    again = {name for name in asking if granted_meanwhile(ctx, name)}
    for service in ctx.plan.services:  # what depends on another comes after it
        result = results.get(service.name)
        orphan = result is not None and not result.instances and again.intersection(service.after)
        if orphan or service.name in again:
            again.add(service.name)
            waiting[service.name] = service
            results.pop(service.name, None)
    return bool(again)


def _may_begin(
    ctx: RolloutContext, service: ServicePlan, results: dict[str, ServiceResult]
) -> bool:
    planned = {other.name for other in ctx.plan.services}
    return all(name in results or name not in planned for name in service.after)


def _blocker(service: ServicePlan, results: dict[str, ServiceResult]) -> ServiceResult | None:
    """What it depends on and that did not succeed."""
    ended = (results[name] for name in service.after if name in results)
    return next((result for result in ended if result.outcome is not ServiceOutcome.DONE), None)


def _skip_orphans(
    ctx: RolloutContext, waiting: dict[str, ServicePlan], results: dict[str, ServiceResult]
) -> None:
    """What depends on something that did not succeed is not begun. What an earlier controller
    began is not passed over: it runs, and begins nothing new."""
    progress = True
    while progress:
        progress = False
        for service in list(waiting.values()):
            blocker = _blocker(service, results)
            if blocker is None or any(was_begun(ctx, service, host) for host in service.hosts):
                continue
            del waiting[service.name]
            outcome, why = _ORPHANED.get(blocker.outcome, _NOT_DONE)
            why = f"{blocker.service} {why}"
            results[service.name] = ServiceResult(service.name, outcome, why=why)
            ctx.emit("service.skipped", service=service.name, data={"why": why})
            progress = True


_ORPHANED = {
    ServiceOutcome.STOPPED: (ServiceOutcome.STOPPED, "was stopped"),
    ServiceOutcome.WAITING: (ServiceOutcome.STOPPED, "waits for approval"),
    ServiceOutcome.HELD: (ServiceOutcome.STOPPED, "waits for a person's judgement"),
}
_NOT_DONE = (ServiceOutcome.SKIPPED, "is not done")


async def _take_back(
    ctx: RolloutContext, gate: Gatekeeper, results: dict[str, ServiceResult]
) -> dict[str, ServiceResult]:
    """Roll back the failed services that say so; an abort takes everything back, and a rollback
    that a crash interrupted is finished whatever is decided now."""
    gate.listen()
    if ctx.plan.verb.by_hand:
        await move_back(ctx, gate, results)
        return results
    recall_rollbacks(ctx, results)
    doomed = [
        name
        for name, result in results.items()
        if gate.aborted
        or (
            result.outcome is ServiceOutcome.FAILED
            and ctx.plan.service(name).on_failure == "rollback"
        )
    ]
    await _take_held_back(ctx, doomed, results)
    if doomed or interrupted_rollback(ctx) is not None:
        await roll_back(ctx, doomed, results, run_services)
        for name in doomed:
            await take_schema_back(ctx, ctx.plan.service(name), ctx.record.id, ctx.steps)
            await bump_the_rest(ctx, ctx.plan.service(name))
    if ctx.plan.verb is Verb.ROLLBACK and ctx.plan.parent:
        await _take_schemas_back(ctx, results)
    return results


async def _take_held_back(
    ctx: RolloutContext, doomed: list[str], results: dict[str, ServiceResult]
) -> None:
    """What waits for a person's judgement is no longer judged."""
    for name in doomed:
        result = results[name]
        for held in result.held:
            instance = InstanceContext(ctx, ctx.plan.service(name), held.host)
            result.instances[held.host] = await take_held_back(instance)
        if result.outcome is ServiceOutcome.HELD:
            result.outcome = ServiceOutcome.STOPPED


async def _take_schemas_back(ctx: RolloutContext, results: dict[str, ServiceResult]) -> None:
    """A rollback by hand: what the rollout it takes back migrated goes back, too."""
    _, origin = ctx.journal.load(ctx.plan.parent)
    steps = ctx.journal.steps(ctx.plan.parent)
    for name, result in results.items():
        if result.outcome is ServiceOutcome.DONE and not result.failed:
            await take_schema_back(ctx, origin.service(name), ctx.plan.parent, steps)


async def _refuse(ctx: RolloutContext, error: GaplessError, resumed: bool) -> Ending:
    """Nothing was changed. Resuming, nothing more: what is half-done keeps its claims."""
    data = failure_data(error)
    if resumed:
        if isinstance(error, LockHeld):
            return _superseded(ctx, error)
        ending = Ending("interrupted", 130, error)
        event = ctx.event("rollout.interrupted", data={**data, **ending.data()})
        ctx.observer(
            ctx.journal.close_rollout(
                ctx.record.id, RolloutState.INTERRUPTED, ending.outcome, ending.exit_code, event
            )
        )
        return ending
    await release_all(ctx)
    held = isinstance(error, LockHeld)
    ending = Ending("lock_held" if held else "refused", 6 if held else 3, error)
    event = ctx.event("rollout.refused", data={**data, **ending.data()})
    ctx.observer(
        ctx.journal.close_rollout(
            ctx.record.id, RolloutState.ENDED, ending.outcome, ending.exit_code, event
        )
    )
    return ending


def _first(group: BaseExceptionGroup[BaseException]) -> FenceRefused:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, FenceRefused)
    return error


def _superseded(ctx: RolloutContext, error: FenceRefused | LockHeld) -> Ending:
    """A host obeys somebody else: stop at once, change nothing more."""
    ending = superseded(ctx, error)
    event = ctx.event("rollout.interrupted", data={**failure_data(error), **ending.data()})
    ctx.observer(
        ctx.journal.close_rollout(
            ctx.record.id, RolloutState.INTERRUPTED, ending.outcome, ending.exit_code, event
        )
    )
    return ending


async def _close(
    ctx: RolloutContext, gate: Gatekeeper, results: dict[str, ServiceResult]
) -> Ending:
    ending = ending_of(ctx, gate, results)
    if ending.outcome == "restored" and await look_again(ctx, results):
        ending = ending_of(ctx, gate, results)
    await tell_margins(ctx, results)
    if ending.state is RolloutState.ENDED:
        await release_all(ctx)
        ctx.emit("lock.released")
    by_hand = "asked for at the keyboard" if ending.event == "rollout.aborted" else ""
    paused = ending.state is RolloutState.PAUSED
    why = _waits_for(results) if paused else gate.aborted or by_hand
    event = ctx.event(ending.event, reason=why, data=ending.data())
    ctx.observer(
        ctx.journal.close_rollout(
            ctx.record.id, ending.state, ending.outcome, ending.exit_code, event
        )
    )
    return ending


def _waits_for(results: dict[str, ServiceResult]) -> str:
    """What a paused rollout waits for."""
    failed = any(result.outcome is ServiceOutcome.FAILED for result in results.values())
    asked = (ServiceOutcome.WAITING, ServiceOutcome.HELD)
    waiting = [r.why for r in results.values() if r.outcome in asked]
    return "; ".join([*(["an instance failed"] if failed else []), *waiting])
