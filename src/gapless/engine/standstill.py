"""What is told of a member that does not get on: causes from what the cluster says now, and the
commands that help. Whatever cannot be asked any more is told as that.

1. *A leadership does not move*: who is not in sync, and how far behind; who is, and did not take
   over, which is for its log, the network between the two, or what it is busy with.
2. *It does not rejoin*, or is back in a cluster that is not well: what its groups lack, who does
   not answer, whether a quorum is left, and the clocks.
3. *It takes long to stop*: requests under way that do not end keep it from handing over and from
   writing down, and systemd kills it when ``TimeoutStopSec`` is over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.standing_still import able, not_taken_over
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved
from gapless.engine.context import InstanceContext
from gapless.engine.missing import Missing
from gapless.errors import ClusterError, GaplessError
from gapless.plans import StepKind

_LINES = 20


def leads_on(
    ctx: InstanceContext,
    cluster: Cluster,
    now: Topology,
    member: str,
    finding: Finding,
    moved: Sequence[Moved],
) -> ClusterError:
    """It was told to hand over, and leads on: in the cluster of the service, or a neighbour's."""
    stuck = [(one.group, one.why) for one in moved if one.why]
    told = [*not_taken_over(now, member, stuck)]
    told += [f"{one.group}: moved to {one.to}" for one in moved if one.left]
    assembly, of = ctx.rollout.assembly, cluster.name
    config = assembly.service(of).cluster
    hosts = able(now, member, [group for group, _ in stuck])
    again = f"gapless {ctx.rollout.plan.verb.value} {ctx.service.name} --hosts {ctx.host}"
    steps = [
        *(f"on {host}: {assembly.runtime(of, host).look(host)}" for host in hosts),
        finding.next,
        *([f"more time: cluster.transfer of {of} ({config.transfer:g} s)"] if config else []),
        f'{again} --force --reason "..." stops it all the same',
    ]
    return ClusterError(
        f"it was not stopped: {finding.what}",
        where=str(ctx.instance),
        evidence="\n".join(told[:_LINES]),
        next="\n".join(steps),
    )


async def stays_away(
    ctx: InstanceContext, cluster: Cluster, member: str, missing: Missing, patience: float
) -> ClusterError:
    """It was restarted, and is not one of the cluster again; or it is, and another one is not."""
    left = missing.left if math.isfinite(missing.left) else 0
    told = [*missing.what, *([f"still to catch up: {left:,.0f}"] if left else [])]
    told += await _circumstances(cluster, member)
    hosts = ",".join(dict.fromkeys((ctx.host, *missing.hosts, *ctx.service.hosts)))
    assembly, of = ctx.rollout.assembly, ctx.service.name
    is_so = "it did not rejoin" if missing.own else "it is back, and its cluster is not well"
    return ClusterError(
        f"{is_so}: nothing moved for {patience:g} s, {missing.what[0]}",
        where=str(ctx.instance),
        evidence="\n".join(dict.fromkeys(told[:_LINES])),
        next="\n".join(
            [
                *(f"on {host}: {assembly.runtime(of, host).look(host)}" for host in missing.hosts),
                f"gapless doctor --hosts {hosts}   (connections and clocks)",
                f"where it still catches up: cluster.rejoin of {of} ({patience:g} s)",
            ]
        ),
    )


async def _circumstances(cluster: Cluster, member: str) -> list[str]:
    """Of the whole cluster."""
    try:
        now = await cluster.topology()
        found = [*refusals(now, (member,)), *await cluster.unsafe(now, (member,))]
    except GaplessError as error:
        return [f"the cluster does not say more: {error.what}"]
    well = sum(one.well for one in now.members.values())
    return [
        f"{well} of {len(now.members)} members are well",
        *(f"{one.host or one.id} {one.trouble}" for one in now.members.values() if one.trouble),
        *(
            f"{one.id}: {len(one.in_sync)} of {len(one.members)} are in sync, and it takes"
            f" {one.minimum}"
            for one in now.groups_of(member)
            if one.slack < 0
        ),
        *(f"{one.code}: {one}" for one in found),
    ]


def tell_slow_stop(ctx: InstanceContext, stopped: float | None) -> None:
    """It took longer than ``cluster.stop`` says: it may have been killed in one of its stages."""
    config = ctx.config.cluster
    if config is None or stopped is None or not config.stops or stopped <= config.stops:
        return
    why = (
        f"it took {stopped:.3g} s to stop, and cluster.stop is {config.stops:g} s: {STAGES}. "
        f"{_more_time(ctx)}"
    )
    ctx.emit("instance.warned", StepKind.SWITCH, why=why)


def slow_stop(ctx: InstanceContext, evidence: str) -> str:
    """What is told beside a stop that did not end in time."""
    if ctx.config.cluster is None:
        return evidence
    return "\n".join(filter(None, [evidence, f"{STAGES}. {_more_time(ctx)}"]))


STAGES = (
    "requests under way that do not end (long polls, clients that hang) keep a member from handing"
    " over and from writing down what it holds; its log says at which stage it was"
)


def _more_time(ctx: InstanceContext) -> str:
    chronik = ctx.config.cluster is not None and ctx.config.cluster.chronik is not None
    own = "CHRONIK_DRAIN_TIMEOUT" if chronik else "the member's own limit for it"
    return f"Clients with shorter timeouts help, or more time: {own}, TimeoutStopSec, cluster.stop"
