"""A person's word between two groups.

1. It is asked for once: from then on the journal has ``approval.requested``, whoever goes on.
2. It is given by ``approval.granted``: ``promote`` writes it into the journal, or the person at the
   terminal answers. A controller that asks at its terminal reads the journal meanwhile, so both
   ways are open; the first answer counts.
3. Where nobody can be asked, or the answer is no, the service waits. The rest of the rollout goes
   on to its end; then the rollout pauses. What is granted until then lets the service go on.
4. What was granted is granted for good. The time a person takes is no part of the deadline; where
   several are waited for at once it counts once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gapless.engine.approvals import GRANTED, REQUESTED, Answer, Approval, Approver, granting
from gapless.engine.context import RolloutContext
from gapless.engine.gatekeeper import LISTEN_EVERY, Gatekeeper
from gapless.plans import ServicePlan


def approval_after(service: ServicePlan, number: int) -> Approval:
    """What is to be approved after the batch with this number."""
    batch, following = service.batches[number], service.batches[number + 1]
    hosts = (b.hosts for b in service.batches[number + 1 :] if b.group == following.group)
    return Approval(
        service.name,
        batch.name,
        batch.group or batch.name,
        following.group or following.name,
        tuple(host for batch_hosts in hosts for host in batch_hosts),
    )


async def approved(ctx: RolloutContext, gate: Gatekeeper, approval: Approval) -> bool:
    """Whether a person lets the next group begin; False: not yet, or somebody wants out."""
    _request(ctx, approval)
    if _granted(ctx, approval):
        return True
    if ctx.interrupts.approver is None:
        return False
    with gate.deadline.stands_still():
        answer = await _answer(ctx, gate, approval, ctx.interrupts.approver)
    if answer is not None and answer.granted and not _granted(ctx, approval):
        ctx.granted.add(approval.place)
        event = granting(approval, ctx.record.id, answer, ctx.clock.now())
        ctx.observer(ctx.journal.append(event))
    return approval.place in ctx.granted


def _request(ctx: RolloutContext, approval: Approval) -> None:
    if approval.place in ctx.requested:
        return
    ctx.requested.add(approval.place)
    event = ctx.event(REQUESTED, service=approval.service, data=approval.data())
    event = ctx.journal.append(event)
    ctx.grants_read = ctx.grants_read or event.seq
    ctx.observer(event)


def _granted(ctx: RolloutContext, approval: Approval) -> bool:
    """Whether it was granted, by what the journal says now."""
    if approval.place not in ctx.granted:
        _read_grants(ctx)
    return approval.place in ctx.granted


def granted_meanwhile(ctx: RolloutContext, service: str) -> bool:
    """Whether all that a waiting service asked for is granted by now."""
    _read_grants(ctx)
    return {place for place in ctx.requested if place[0] == service} <= ctx.granted


def _read_grants(ctx: RolloutContext) -> None:
    while events := ctx.journal.events(ctx.record.id, after=ctx.grants_read):
        ctx.grants_read = events[-1].seq
        for event in events:
            if event.type == GRANTED and Approval.of(event).place not in ctx.granted:
                ctx.granted.add(Approval.of(event).place)
                ctx.observer(event)


async def _answer(
    ctx: RolloutContext, gate: Gatekeeper, approval: Approval, ask: Approver
) -> Answer | None:
    """What the person at the terminal says; None when the journal or somebody who wants out was
    faster."""
    asking = asyncio.ensure_future(ask(approval))
    try:
        while not asking.done():
            gate.listen()
            if gate.stopped or _granted(ctx, approval):
                return None
            pause = asyncio.ensure_future(ctx.clock.sleep(LISTEN_EVERY))
            await asyncio.wait({asking, pause}, return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
        return asking.result()
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(asking, return_exceptions=True)
