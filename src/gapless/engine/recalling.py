"""What the journal knows of a rollout that goes on: what was judged, and what a person accepted.

1. A service that succeeded or failed is not judged again: what came later (failures of other
   services, hosts that are back) would change the verdict under what was begun on its strength.
2. A person who lets a paused rollout go on accepts the failures of the services that waited for it
   (``on_failure: pause``, nothing broken). Those services are judged anew, and go on.
3. A service that was taken back has failed, whatever was accepted.
4. A rollout that paused for an approval only has nothing to accept. What was asked for and what was
   granted stays so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gapless.engine.approvals import GRANTED, REQUESTED, Approval
from gapless.engine.context import RolloutContext
from gapless.engine.journal import RolloutState
from gapless.events.event import Event
from gapless.plans import ServicePlan

_VERDICTS = {"service.succeeded": True, "service.failed": False}


def recall(ctx: RolloutContext) -> None:
    """Fill ``judged``, ``accepted``, ``failed``, ``bumped`` and the approvals, before any service
    runs."""
    waiting: Collection[str] = ()
    for event in _told(ctx):
        if event.type in _VERDICTS:
            ctx.judged[event.service] = _VERDICTS[event.type]
        elif event.type == "rollout.paused" and event.data.get("outcome"):
            waiting = _judged_by_hand(ctx, event)
        elif event.type == "rollout.resumed":
            _accept(ctx, waiting)
            waiting = ()
        elif event.type == "migration.bumped":
            ctx.bumped.add((event.service, event.host))
        elif event.type in (REQUESTED, GRANTED):
            of = ctx.requested if event.type == REQUESTED else ctx.granted
            of.add(Approval.of(event).place)
        ctx.grants_read = event.seq
    for record in ctx.journal.children(ctx.record.id):
        if record.state is RolloutState.ENDED:
            _, plan = ctx.journal.load(record.id)
            ctx.judged.update({service.name: False for service in plan.services})
    for service in ctx.plan.services:
        failed = (host for host in _hosts(service) if _outcome(ctx, service, host) not in _FINE)
        ctx.failed.update({(service.name, host) for host in failed} - ctx.accepted)


def _judged_by_hand(ctx: RolloutContext, paused: Event) -> Collection[str]:
    """Failed instances that whoever lets it go on accepts."""
    failed: Collection[str] = paused.data.get("failed", ())
    if not paused.data.get("approvals"):
        return failed
    return [name for name in failed if ctx.judged.get(name.rpartition("@")[0]) is False]


_FINE = ("", "done")


def _told(ctx: RolloutContext) -> Iterator[Event]:
    """Every event of its own, however many there are."""
    seen = 0
    while events := ctx.journal.events(ctx.record.id, after=seen):
        seen = events[-1].seq
        yield from (event for event in events if event.rollout == ctx.record.id)


def _accept(ctx: RolloutContext, failed: Collection[str]) -> None:
    for service in ctx.plan.services:
        hosts = [host for host in _hosts(service) if f"{service.name}@{host}" in failed]
        broken = any(_outcome(ctx, service, host) == "broken" for host in hosts)
        if not hosts or broken or service.on_failure != "pause":
            continue
        ctx.accepted.update((service.name, host) for host in hosts)
        if ctx.judged.get(service.name) is False:
            del ctx.judged[service.name]


def _hosts(service: ServicePlan) -> tuple[str, ...]:
    return (*service.hosts, *service.absent)


def _outcome(ctx: RolloutContext, service: ServicePlan, host: str) -> str:
    """Its last word, "" when there is none."""
    record = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
    return str(record.result.get("outcome", "")) if record is not None else ""
