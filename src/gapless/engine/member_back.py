"""The member of a cluster on its way back: may it be stopped once more?

1. One that is in trouble itself is stopped to be mended, unless nobody could undo that.
2. One that is well is not stopped a second time while anything speaks against it: it has rejoined,
   and another one may be the reason why the rollout stops. Nobody is told to stop it by hand then.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster
from gapless.engine.context import InstanceContext
from gapless.engine.members import (
    SETTLES,
    beside,
    cluster_of,
    evacuate,
    member_on,
    refusing,
    unsafe,
)
from gapless.errors import ClusterError
from gapless.plans import StepKind

_LOOK = 0.5


class StaysUp(ClusterError):
    """It may not be stopped to go back, and a person should not do it by hand either: what is
    ``next`` comes first. ``well``: nothing is wrong with it itself, it is others that suffer."""

    def __init__(self, what: str, *, where: str, holding: Sequence[Finding], well: bool) -> None:
        told = "\n".join(map(str, holding))
        super().__init__(what, where=where, evidence=told, next=holding[0].next)
        self.well = well


async def evacuate_to_go_back(ctx: InstanceContext) -> None:
    """What has rejoined may lead again, and may be the one that is needed: then its way back would
    be worse than what it is taken back from. Raises ClusterError. A cluster that cannot be
    asked, or does not know it, is none that it serves."""
    if ctx.key(StepKind.EVACUATE) not in ctx.rollout.steps:
        return
    cluster, clock = cluster_of(ctx), ctx.rollout.clock
    until = clock.monotonic() + SETTLES
    while True:
        try:
            topology = await cluster.topology()
            member = member_on(topology, cluster, ctx.host)
        except ClusterError:
            return
        holding = await _against_going_back(ctx, cluster, topology, member)
        if not holding:
            break
        if clock.monotonic() >= until:
            raise StaysUp(
                f"it may not be stopped to go back: {holding[0]}",
                where=str(ctx.instance),
                holding=holding,
                well=member.well,
            )
        await clock.sleep(_LOOK)
    if still_leads(topology, member.id) is not None:
        await evacuate(ctx, topology, member.id)


async def _against_going_back(
    ctx: InstanceContext, cluster: Cluster, topology: Topology, member: Member
) -> Sequence[Finding]:
    """Of one that is in trouble itself only what nobody can force."""
    found = await unsafe(cluster, topology, (member.id,))
    holding = [one for one in found if one.absolute]
    if holding or not member.well:
        return holding
    stopping = (member.id, *beside(ctx, topology))
    reserve, force = ctx.service.reserve, bool(ctx.rollout.plan.force)
    return refusing(refusals(topology, stopping, reserve=reserve), force=force)
