"""The member of a cluster that an instance is: may it be stopped, does it lead, is it back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

from gapless.clock import Clock
from gapless.clusters.causes import causes
from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.member import Member
from gapless.clusters.order import wanted
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved
from gapless.engine.begun import closed
from gapless.engine.context import InstanceContext
from gapless.engine.standstill import leads_on
from gapless.errors import ClusterError, GaplessError
from gapless.plans import StepKind

SETTLES = 3.0
"""Seconds for what is against it to be over by itself."""
_LOOK = 0.5
_LINES = 6


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
    unknown = f"no member of {_named(cluster)} is known on {host}"
    told = [f"its members: {known or 'none that answers'}"]
    told += [f"{one.code}: {one}" for one in topology.findings]
    causes = topology.findings[:1]
    steps = [*(one.next for one in causes if one.next), f"gapless doctor --hosts {host}"]
    raise ClusterError(
        ": ".join([unknown, *map(str, causes)]),
        where=f"{cluster.name}@{host}",
        evidence="\n".join(told[:_LINES]),
        next="\n".join(steps),
    )


def _named(cluster: Cluster) -> str:
    return cluster.kind if cluster.kind == cluster.name else f"{cluster.kind} {cluster.name}"


async def unsafe(
    cluster: Cluster, topology: Topology, members: Sequence[str], *, reserve: int = 1
) -> tuple[Finding, ...]:
    """Everything that speaks against stopping them together now."""
    return (
        *refusals(topology, members, reserve=reserve),
        *await cluster.unsafe(topology, members),
    )


async def objections(
    cluster: Cluster,
    clock: Clock,
    rounds: Iterable[Sequence[str]],
    *,
    reserve: int = 1,
    strangers: bool = False,
    settles: float = SETTLES,
) -> tuple[Topology, tuple[Finding, ...]]:
    """What speaks against stopping the members on these hosts, those of a round together and each
    round by itself, said once. A follower may be behind for a moment, and an election under way:
    what is over within ``settles`` seconds is nothing. ``strangers``: hosts may have no member
    yet."""
    asked = [tuple(hosts) for hosts in rounds]
    until = clock.monotonic() + settles
    while True:
        topology = await cluster.topology()
        found: dict[Finding, None] = {}
        for hosts in asked:
            known = [h for h in hosts if not strangers or topology.on(h) is not None]
            members = [member_on(topology, cluster, host).id for host in known]
            found.update(dict.fromkeys(await unsafe(cluster, topology, members, reserve=reserve)))
        if not found or clock.monotonic() >= until:
            return topology, causes(topology, tuple(found))
        await clock.sleep(_LOOK)


def silent(cluster: Cluster, error: GaplessError) -> Finding:
    """Of one that could not be asked."""
    return Finding("silent", cluster.kind, error.what, error.evidence, error.next)


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
    return await move_away(ctx, cluster, topology, member, to, within=config.transfer)


async def move_away(
    ctx: InstanceContext,
    cluster: Cluster,
    topology: Topology,
    member: str,
    to: Sequence[str],
    *,
    within: float,
) -> Sequence[Moved]:
    """What it leads in a cluster, in that of the service or a neighbour's. A leadership that had
    left and is back was moved by somebody else: while there is time it is moved again. Raises
    ClusterError."""
    clock = ctx.rollout.clock
    until = clock.monotonic() + within
    every: list[Moved] = []
    try:
        while True:
            moved = await cluster.evacuate(member, to, until - clock.monotonic(), ctx.fence)
            every += moved
            if cluster.name == ctx.service.name:
                _tell_moved(ctx, topology, moved)
            topology = await cluster.topology()
            finding = still_leads(topology, member)
            if finding is None or ctx.rollout.plan.force:
                return every
            stuck = any(not one.left for one in moved)
            if stuck or clock.monotonic() + _LOOK >= until:
                raise leads_on(ctx, cluster, topology, member, finding, moved)
            await clock.sleep(_LOOK)
    except GaplessError:
        with contextlib.suppress(GaplessError):
            await cluster.restore(member, ctx.fence)
        raise


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
    hosts = restarted_on(ctx)
    return frozenset(one.id for one in topology.members.values() if one.host in hosts)


def restarted_on(ctx: InstanceContext) -> frozenset[str]:
    """Hosts of the service that this rollout is done with."""
    prefix, name = ctx.service.key_prefix, ctx.service.name
    return frozenset(
        host
        for host in ctx.service.hosts
        if (record := ctx.rollout.steps.get(f"{prefix}/{host}/{name}/outcome")) and record.good
    )


async def evacuate_again(ctx: InstanceContext) -> None:
    """Right before it is stopped: what it led was moved, and may have come back since; followers
    may not be back yet behind the new leader; and another one may be gone. Raises ClusterError."""
    evacuated = ctx.facts.get(StepKind.EVACUATE, {})
    member = evacuated.get("member")
    if member is None or ctx.key(StepKind.SWITCH) in ctx.rollout.steps:
        return
    config = ctx.config.cluster
    assert config is not None
    topology = await fit_to_stop(
        ctx,
        cluster_of(ctx),
        lambda now: (member, *beside(ctx, now)),
        within=config.transfer if evacuated["moved"] else SETTLES,
        reserve=ctx.service.reserve,
    )
    if still_leads(topology, member) is not None:
        await evacuate(ctx, topology, member)


async def fit_to_stop(
    ctx: InstanceContext,
    cluster: Cluster,
    stopping: Callable[[Topology], Sequence[str]],
    *,
    within: float,
    reserve: int = 1,
    told: Callable[[Finding], Finding] = lambda finding: finding,
) -> Topology:
    """Its cluster, or that of a neighbour, as soon as the gates hold again. Raises ClusterError,
    in the words of ``told``."""
    clock, force = ctx.rollout.clock, bool(ctx.rollout.plan.force)
    until = clock.monotonic() + within
    while True:
        topology = await cluster.topology()
        found = refusals(topology, stopping(topology), reserve=reserve)
        holding = sorted(refusing(found, force=force), key=lambda one: not one.absolute)
        if not holding:
            return topology
        if clock.monotonic() >= until:
            one = told(holding[0])
            raise ClusterError(
                f"it was not stopped: {one}",
                where=str(ctx.instance),
                evidence="\n".join(map(str, holding)),
                next=one.next,
            )
        await clock.sleep(_LOOK / 5)


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


def _tell_moved(ctx: InstanceContext, topology: Topology, moved: Sequence[Moved]) -> None:
    """How many leaderships left it, and how many did not that were told to."""
    stayed = [topology.groups.get(one.group) for one in moved if not one.left]
    failed = sum(group is None or group.movable for group in stayed)
    left = sum(one.left for one in moved)
    if left or failed:
        ctx.emit("leaders.moved", StepKind.EVACUATE, moved=left, failed=failed)
