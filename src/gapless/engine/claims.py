"""Owning services: on the hosts that run them and on the nodes that send them traffic.

The fence a host grants is compared there in the same call that acts, so a second laptop, a zombie
controller or a stale retry cannot act. Where a host has several instances, each is claimed: what
the host remembers is of one of them. Clusters on the same hosts are claimed, too
(``gapless.engine.claims_beside``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress

from gapless.drivers.transports.base import Claim, Claimed
from gapless.engine.claims_beside import Place, claimed_in_turn, places_beside
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.journal import LockRecord, RolloutState, lock_held
from gapless.engine.left_out import tell_left_out
from gapless.engine.perform import reconnect
from gapless.errors import (
    DeadlineExceeded,
    FenceRefused,
    GaplessError,
    LockHeld,
    LostContact,
    Refused,
    TransportError,
    Unreachable,
)
from gapless.model import Fence
from gapless.places import claim_name, machine_of, number_of
from gapless.plans import ServicePlan, Verb


async def claim_all(ctx: RolloutContext) -> None:
    """Claim every service on every host concerned; a refusal raises LockHeld, and what was granted
    is the caller's to give back. Hosts that cannot be reached are noted in ``ctx.lost``."""
    ctx.left = {
        (lock.service, lock.host): lock.rollout for lock in ctx.journal.locks() if lock.host
    }
    own = [Place(s.name, host, s) for s in ctx.plan.services for host in _places(ctx, s)]
    places = [*own, *places_beside(ctx, {place.key for place in own})]
    reached = {place.key: asyncio.ensure_future(_reach(ctx, place)) for place in places}
    in_turn = claimed_in_turn(ctx)
    ordered = sorted((p for p in places if p.name in in_turn), key=lambda place: place.key)
    others = (place for place in places if place.name not in in_turn)
    results = await asyncio.gather(
        _claim_in_turn(ctx, ordered, reached),
        *(_claim(ctx, place, reached[place.key]) for place in others),
        return_exceptions=True,
    )
    for task in reached.values():  # one that was refused asks for no more
        task.cancel()
    await asyncio.gather(*reached.values(), return_exceptions=True)
    refusals = [result for result in results if isinstance(result, LockHeld)]
    if refusals:
        raise refusals[0]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    for service in ctx.plan.services:
        _tell_apart(ctx, service)


async def _claim_in_turn(
    ctx: RolloutContext,
    places: Sequence[Place],
    reached: Mapping[tuple[str, str], Awaitable[None]],
) -> None:
    for place in places:
        await _claim(ctx, place, reached[place.key])


def _tell_apart(ctx: RolloutContext, service: ServicePlan) -> None:
    """Two instances must not share what a host keeps of a service: its copies for the way back and
    what it remembers. That the node of a balancer shares the claim of an instance on the same
    machine is fine: then both act under the newer fence."""
    names: dict[tuple[str, int], list[str]] = {}
    for host in _places(ctx, service):
        place = ctx.places.get((service.name, host))
        if place:
            names.setdefault((place, number_of(host)), []).append(host)
    for shared in names.values():
        instances = [host for host in shared if host in service.hosts or host in service.absent]
        if len(instances) > 1:
            raise one_machine(service.name, [machine_of(host) for host in instances])
        fences = [ctx.fences[service.name, host] for host in shared]
        newest = max(fences, key=lambda fence: fence.number)
        ctx.fences.update({(service.name, host): newest for host in shared})


def one_machine(service: str, hosts: Sequence[str]) -> Refused:
    """Several names in the file for one machine with one state folder."""
    return Refused(
        f"{' and '.join(hosts)} are one machine with one state folder",
        where=service,
        evidence=f"{service} is to run on each, and they would share its claims and copies",
        next=f"give {hosts[1]} a state_dir of its own in gapless.yaml, or name the machine once",
    )


def _places(ctx: RolloutContext, service: ServicePlan) -> list[str]:
    nodes = [
        node
        for balancer in ctx.assembly.balancers(service.name)
        for node in balancer.hosts
    ]  # fmt: skip
    return list(dict.fromkeys([*service.hosts, *service.absent, *nodes]))


async def _claim(ctx: RolloutContext, place: Place, reached: Awaitable[None]) -> None:
    """As soon as its host is ``reached``."""
    name, host, service = place.name, place.host, place.service
    record, doubtful = ctx.record, ctx.again
    claim = Claim(
        claim_name(ctx.plan.project, name, host),
        ctx.claimant,
        record.actor,
        record.controller,
        record.pid,
        record.started,
        _reason(ctx, place),
    )
    transport = ctx.assembly.transport(host)
    try:
        await reached
        doubtful = True  # from here on it may have been granted without our hearing of it
        claimed = await transport.claim(claim)
        if claimed.holder is not None and _is_over(ctx, claimed.holder.rollout):
            claimed = await _take_over(ctx, name, host, claim, claimed.holder)
    except TransportError as error:
        if doubtful:
            ctx.doubtful.add(place.key)
        if place.beside:
            return
        if host not in service.hosts and host not in service.absent:
            raise
        if ctx.plan.verb is not Verb.DRAIN:  # what is gone can be taken out of traffic
            ctx.lost[place.key] = error
        return
    if claimed.fence is None:
        raise _refusal(place, claimed)
    ctx.fences[place.key] = claimed.fence
    if place.beside:
        return
    ctx.places[place.key] = claimed.place
    if place.key in ctx.left:
        with suppress(TransportError):  # then the next rollout has to know it, too
            await tell_left_out(InstanceContext(ctx, service, host))
            ctx.journal.forget_left(service.name, host)


def _reason(ctx: RolloutContext, place: Place) -> str:
    """Who finds a service claimed that this rollout does not restart reads why."""
    if not place.beside:
        return ctx.record.reason
    why = f"{ctx.plan.verb.value} of {place.service.name}, which is on the same hosts"
    return f"{why}: {ctx.record.reason}" if ctx.record.reason else why


async def _reach(ctx: RolloutContext, place: Place) -> None:
    """Connect; where an earlier controller began something the host is waited for."""
    transport = ctx.assembly.transport(place.host)
    try:
        await transport.connect()
    except (Unreachable, LostContact, DeadlineExceeded) as error:
        instance = InstanceContext(ctx, place.service, place.host)
        if place.beside or not instance.begun:
            raise
        lost = LostContact(error.what, where=place.host, evidence=error.evidence)
        await reconnect(instance, lost)


def _is_over(ctx: RolloutContext, rollout: str) -> bool:
    """Whether this controller's journal knows that the rollout has ended: it lost the host before
    it could give the service back there."""
    try:
        record, _ = ctx.journal.load(rollout)
    except GaplessError:  # it knows no such rollout, or cannot read it
        return False
    return record.state is RolloutState.ENDED and not ctx.journal.is_alive(rollout)


async def _take_over(
    ctx: RolloutContext, service: str, host: str, claim: Claim, holder: Claim
) -> Claimed:
    """From this holder only: somebody who came in between keeps the service."""
    claimed = await ctx.assembly.transport(host).claim(claim, over=holder.rollout)
    if claimed.fence is not None:
        ctx.emit(
            "lock.taken_over",
            service=service,
            host=host,
            data={"rollout": holder.rollout, "owner": holder.owner},
        )
    return claimed


async def _granted(ctx: RolloutContext, service: str, host: str) -> Fence | None:
    """What the host granted this rollout, heard of or not."""
    transport, name = ctx.assembly.transport(host), claim_name(ctx.plan.project, service, host)
    fence = (await transport.holder(name)).fence
    return fence if fence is not None and fence.rollout == ctx.claimant else None


def _refusal(place: Place, claimed: Claimed) -> LockHeld:
    service, holder = place.name, claimed.holder
    assert holder is not None, "a host that refuses names the holder"
    owner = LockRecord(
        service, holder.rollout, holder.owner, holder.controller, holder.pid, holder.since,
        holder.reason, 0, claimed.live,
    )  # fmt: skip
    # a host knows whether the controller is connected now: an idle connection may be closed
    where = f"and its controller is {'' if claimed.live else 'not '}connected there now"
    state = f"owns it, {where}"
    next_ = f"on {holder.controller}: gapless status   or   gapless lock break {service}"
    error = lock_held(owner, state, next_)
    error.where = place.host
    if place.beside:
        why = f"{place.service.name} is on the same hosts: what stops one may stop the other"
        error.evidence = f"{error.evidence}\n{why}"
    return error


async def release_all(ctx: RolloutContext) -> None:
    """Give every claim back; a host that cannot be reached keeps its record, which the next
    claim of this controller's rollouts or ``lock break`` ends. That is noted in the journal."""
    places = ctx.doubtful.union(ctx.fences)
    await asyncio.gather(
        *(_release(ctx, service, host) for service, host in sorted(places)),
        return_exceptions=True,
    )
    ctx.fences.clear()
    ctx.doubtful.clear()


async def _release(ctx: RolloutContext, service: str, host: str) -> None:
    transport = ctx.assembly.transport(host)
    try:
        await transport.connect()  # a host that went away may be back
        fence = ctx.fences.get((service, host)) or await _granted(ctx, service, host)
        if fence is None:
            return
        if (service, host) in ctx.untold:
            await transport.remember(fence, {"left_out": True})
        await transport.release(fence)
    except FenceRefused:
        return
    except TransportError:
        ctx.journal.leave_lock(ctx.record.id, service, host)
