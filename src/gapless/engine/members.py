"""The member of a cluster that an instance is: may it be stopped, does it lead, is it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.member import Member
from gapless.clusters.order import wanted
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved
from gapless.engine.begun import closed
from gapless.engine.context import InstanceContext
from gapless.errors import ClusterError, GaplessError
from gapless.plans import StepKind

SETTLES = 3.0
"""Seconds for what is against it to be over by itself."""
_LOOK = 0.5


def cluster_of(ctx: InstanceContext) -> Cluster:
    """That of its service, which has one."""
    cluster = ctx.rollout.assembly.cluster(ctx.service.name)
    assert cluster is not None
    return cluster


def member_on(topology: Topology, cluster: Cluster, host: str) -> Member:
    """Who runs there. Raises ClusterError."""
    member = topology.on(host)
    if member is not None:
        return member
    known = ", ".join(sorted(one.host or one.id for one in topology.members.values()))
    raise ClusterError(
        f"no member of {cluster.kind} {cluster.name} runs on {host}",
        where=f"{cluster.name}@{host}",
        evidence=f"its members: {known or 'none that answers'}",
        next=f"gapless doctor --hosts {host}",
    )


async def unsafe(
    cluster: Cluster, topology: Topology, members: Sequence[str], *, reserve: int = 1
) -> tuple[Finding, ...]:
    """Everything that speaks against stopping them together now."""
    return (
        *refusals(topology, members, reserve=reserve),
        *await cluster.unsafe(topology, members),
    )


async def objections(
    cluster: Cluster, clock: Clock, rounds: Iterable[Sequence[str]], *, reserve: int = 1
) -> tuple[Topology, tuple[Finding, ...]]:
    """What speaks against stopping the members on these hosts, those of a round together and each
    round by itself, said once. A follower may be behind for a moment, and an election under way:
    what is over soon is nothing."""
    asked = [tuple(hosts) for hosts in rounds]
    until = clock.monotonic() + SETTLES
    while True:
        topology = await cluster.topology()
        found: dict[Finding, None] = {}
        for hosts in asked:
            members = [member_on(topology, cluster, host).id for host in hosts]
            found.update(dict.fromkeys(await unsafe(cluster, topology, members, reserve=reserve)))
        if not found or clock.monotonic() >= until:
            return topology, tuple(found)
        await clock.sleep(_LOOK)


def refusing(found: Sequence[Finding], *, force: bool) -> tuple[Finding, ...]:
    """Those that hold: with a reason to force it, only those that nobody can force."""
    return tuple(one for one in found if one.absolute or not force)


async def evacuate(ctx: InstanceContext, topology: Topology, member: str) -> Sequence[Moved]:
    """Nothing that can be moved is led from there afterwards: the cluster itself says so. Raises
    ClusterError; what was ordered for it is taken back then."""
    cluster = cluster_of(ctx)
    config = ctx.config.cluster
    assert config is not None
    to = wanted(topology, member, restarted(ctx, topology), leaving=beside(ctx, topology))
    try:
        moved = await cluster.evacuate(member, to, config.transfer, ctx.fence)
        finding = still_leads(await cluster.topology(), member)
        if finding is not None and not ctx.rollout.plan.force:
            raise _leads_on(ctx, finding, moved)
    except GaplessError:
        with contextlib.suppress(GaplessError):
            await cluster.restore(member, ctx.fence)
        raise
    return moved


def round_of(ctx: InstanceContext) -> tuple[str, ...]:
    """Hosts whose members are restarted together with it, its own first: those that are over count
    no more, however they ended."""
    batch = next(batch for batch in ctx.service.batches if ctx.host in batch.hosts)
    others = (host for host in batch.hosts if host != ctx.host)
    return (ctx.host, *(h for h in others if not closed(ctx.rollout, ctx.service, h)))


def beside(ctx: InstanceContext, topology: Topology) -> frozenset[str]:
    """Members that are restarted together with it."""
    hosts = round_of(ctx)[1:]
    return frozenset(one.id for one in topology.members.values() if one.host in hosts)


def restarted(ctx: InstanceContext, topology: Topology) -> frozenset[str]:
    """Members that this rollout is done with."""
    prefix, name = ctx.service.key_prefix, ctx.service.name
    hosts = {
        host
        for host in ctx.service.hosts
        if (record := ctx.rollout.steps.get(f"{prefix}/{host}/{name}/outcome")) and record.good
    }
    return frozenset(one.id for one in topology.members.values() if one.host in hosts)


async def evacuate_again(ctx: InstanceContext) -> None:
    """Right before it is stopped: what it led was moved, and may have come back since; and another
    one may be gone that a quorum cannot spare with it. Raises ClusterError."""
    member = ctx.facts.get(StepKind.EVACUATE, {}).get("member")
    if member is None or ctx.key(StepKind.SWITCH) in ctx.rollout.steps:
        return
    topology = await cluster_of(ctx).topology()
    found = refusals(topology, (member, *beside(ctx, topology)))
    if holding := [one for one in found if one.absolute]:
        raise ClusterError(
            f"it was not stopped: {holding[0]}",
            where=str(ctx.instance),
            evidence="\n".join(map(str, holding)),
            next=holding[0].next,
        )
    if still_leads(topology, member) is not None:
        await evacuate(ctx, topology, member)


async def evacuate_to_go_back(ctx: InstanceContext) -> None:
    """What has rejoined may lead again, and may be the one that a quorum needs: then its way back
    would be worse than what it is taken back from. Raises ClusterError. A cluster that cannot be
    asked, or does not know it, is none that it serves."""
    if ctx.key(StepKind.EVACUATE) not in ctx.rollout.steps:
        return
    cluster = cluster_of(ctx)
    try:
        topology = await cluster.topology()
        member = member_on(topology, cluster, ctx.host)
    except ClusterError:
        return
    found = await unsafe(cluster, topology, (member.id,))
    if holding := [one for one in found if one.absolute]:
        raise ClusterError(
            f"it may not be stopped to go back: {holding[0]}",
            where=str(ctx.instance),
            evidence="\n".join(map(str, holding)),
            next=holding[0].next,
        )
    if still_leads(topology, member.id) is not None:
        await evacuate(ctx, topology, member.id)


async def restore_member(ctx: InstanceContext) -> None:
    """What was ordered for the time of its restart is taken back, as well as can be: it ends by
    itself, too. Also where a crash left the order half given."""
    if ctx.key(StepKind.EVACUATE) not in ctx.rollout.steps:
        return
    with contextlib.suppress(GaplessError):
        cluster = cluster_of(ctx)
        member = ctx.facts.get(StepKind.EVACUATE, {}).get("member")
        if member is None:
            member = member_on(await cluster.topology(), cluster, ctx.host).id
        await cluster.restore(member, ctx.fence)


def _leads_on(ctx: InstanceContext, finding: Finding, moved: Sequence[Moved]) -> ClusterError:
    told = [f"{one.group}: {one.why or f'moved to {one.to}'}" for one in moved]
    return ClusterError(
        f"it was not stopped: {finding.what}",
        where=str(ctx.instance),
        evidence="\n".join(told),
        next=f"{finding.next}\ngapless {ctx.rollout.plan.verb.value} {ctx.service.name} "
        f'--hosts {ctx.host} --force --reason "..." stops it all the same',
    )
