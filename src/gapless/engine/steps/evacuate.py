"""evacuate: a member that may be stopped now leads nothing any more."""

from __future__ import annotations

from gapless.clusters.kept import kept
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster
from gapless.engine.context import InstanceContext
from gapless.engine.members import (
    SETTLES,
    cluster_of,
    evacuate,
    member_on,
    objections,
    refusing,
    restore_member,
    round_of,
)
from gapless.engine.neighbour_members import (
    evacuate_neighbours,
    members_beside,
    objections_of_neighbours,
    restore_neighbours,
)
from gapless.engine.steps.base import Facts, Step
from gapless.errors import ClusterError
from gapless.plans import StepKind

_LINES = 10


class Evacuate(Step):
    """Harmless to repeat: what has moved is not moved again. What it orders ends by itself, or is
    taken back when the member has rejoined or the instance goes back."""

    kind = StepKind.EVACUATE
    shown = ("member", "moved", "keeps", "leads", "beside", "sealed")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """The gates, the moves, and what it holds written down."""
        if ctx.host in ctx.service.installs:
            return {}  # it is no member yet
        cluster, config = cluster_of(ctx), ctx.config.cluster
        assert config is not None
        settles = SETTLES
        again = ctx.rollout.again
        if again:  # a move that was cut off in the middle is ended by the system itself
            await restore_member(ctx)
            await restore_neighbours(ctx)
            settles = config.transfer
        topology, found = await objections(
            cluster,
            ctx.rollout.clock,
            [round_of(ctx)],
            reserve=ctx.service.reserve,
            settles=settles,
        )
        member = member_on(topology, cluster, ctx.host)
        found += await objections_of_neighbours(
            ctx.rollout.assembly,
            ctx.rollout.clock,
            ctx.service.name,
            [round_of(ctx)],
            again=again,
        )
        if holding := refusing(found, force=bool(ctx.rollout.plan.force)):
            raise ClusterError(
                f"it may not be stopped now: {holding[0]}",
                where=str(ctx.instance),
                evidence="\n".join(f"{one.code}: {one}" for one in holding[:_LINES]),
                next=holding[0].next,
            )
        neighbours = await members_beside(ctx)
        beside = await evacuate_neighbours(ctx)
        moved = await evacuate(ctx, topology, member.id)
        leads = await _leads_still(ctx, cluster, member.id)
        sealed = await cluster.seal(member.id, ctx.fence)
        return {
            "member": member.id,
            "moved": sum(one.left for one in moved),
            **({"keeps": keeps} if (keeps := _kept_by_system(topology, member.id)) else {}),
            **({"leads": leads} if leads else {}),
            **({"beside": beside} if beside else {}),
            **({"neighbours": neighbours} if neighbours else {}),
            **({"sealed": sealed} if sealed else {}),
            "before": kept(topology, member.id),
        }


def _kept_by_system(topology: Topology, member: str) -> int:
    """How many groups it leads that nobody can move: they leave it when it stops."""
    return sum(not group.movable for group in topology.led_by(member))


async def _leads_still(ctx: InstanceContext, cluster: Cluster, member: str) -> list[str]:
    """Groups that could be moved and were not: only with a reason to force it is it stopped with
    them, so nobody else has to ask."""
    if not ctx.rollout.plan.force:
        return []
    topology = await cluster.topology()
    return [group.id for group in topology.led_by(member) if group.movable]
