"""Owning services: on the hosts that run them and on the nodes that send them traffic.

The fence a host grants is compared there in the same call that acts, so a second laptop, a zombie
controller or a stale retry cannot act.
"""

from __future__ import annotations

import asyncio

from gapless.drivers.transports.base import Claim, Claimed
from gapless.engine.context import RolloutContext
from gapless.engine.journal import LockRecord, lock_held
from gapless.errors import LockHeld, TransportError
from gapless.plans import ServicePlan


async def claim_all(ctx: RolloutContext) -> None:
    """Claim every service on every host concerned; a refusal gives back what was granted and
    raises LockHeld. Hosts that cannot be reached are noted in ``ctx.lost``."""
    places = [(service, host) for service in ctx.plan.services for host in _places(ctx, service)]
    results = await asyncio.gather(
        *(_claim(ctx, service, host) for service, host in places), return_exceptions=True
    )
    refusals = [result for result in results if isinstance(result, LockHeld)]
    if refusals:
        await release_all(ctx)
        raise refusals[0]
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _places(ctx: RolloutContext, service: ServicePlan) -> list[str]:
    nodes = [
        node
        for balancer in ctx.assembly.balancers(service.name)
        for node in balancer.hosts
    ]  # fmt: skip
    return list(dict.fromkeys([*service.hosts, *nodes]))


def claim_name(ctx: RolloutContext, service: str) -> str:
    """The name under which hosts know a service: projects do not collide."""
    return f"{ctx.plan.project}.{service}"


async def _claim(ctx: RolloutContext, service: ServicePlan, host: str) -> None:
    record = ctx.record
    claim = Claim(
        claim_name(ctx, service.name),
        ctx.claimant,
        record.actor,
        record.controller,
        record.pid,
        record.started,
        record.reason,
    )
    transport = ctx.assembly.transport(host)
    try:
        await transport.connect()
        claimed = await transport.claim(claim)
    except TransportError as error:
        if host not in service.hosts:
            raise
        ctx.lost[service.name, host] = error
        return
    if claimed.fence is None:
        raise _refusal(service.name, host, claimed)
    ctx.fences[service.name, host] = claimed.fence


def _refusal(service: str, host: str, claimed: Claimed) -> LockHeld:
    holder = claimed.holder
    assert holder is not None, "a host that refuses names the holder"
    error = lock_held(
        LockRecord(
            service, holder.rollout, holder.owner, holder.controller, holder.pid, holder.since,
            holder.reason, 0, claimed.live,
        )
    )  # fmt: skip
    return LockHeld(
        error.what,
        where=host,
        evidence=error.evidence,
        next=f"on {holder.controller}: {error.next}   or   gapless lock break {service}",
    )


async def release_all(ctx: RolloutContext) -> None:
    """Give every claim back; a host that cannot be reached keeps its record, which the next
    claim of this controller's rollouts or ``lock break`` ends."""
    await asyncio.gather(
        *(_release(ctx, service, host) for service, host in list(ctx.fences)),
        return_exceptions=True,
    )
    ctx.fences.clear()


async def _release(ctx: RolloutContext, service: str, host: str) -> None:
    await ctx.assembly.transport(host).release(ctx.fences[service, host])
