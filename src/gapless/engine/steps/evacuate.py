"""evacuate: a member that may be stopped now leads nothing any more."""

from __future__ import annotations

from gapless.clusters.kept import kept
from gapless.engine.context import InstanceContext
from gapless.engine.members import (
    cluster_of,
    evacuate,
    member_on,
    objections,
    refusing,
    round_of,
)
from gapless.engine.steps.base import Facts, Step
from gapless.errors import ClusterError
from gapless.plans import StepKind

_LINES = 10


class Evacuate(Step):
    """Harmless to repeat: what has moved is not moved again. What it orders ends by itself, or is
    taken back when the member has rejoined or the instance goes back."""

    kind = StepKind.EVACUATE
    shown = ("member", "moved", "sealed")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """The gates, the moves, and what it holds written down."""
        if ctx.host in ctx.service.installs:
            return {}  # it is no member yet
        cluster = cluster_of(ctx)
        topology, found = await objections(
            cluster, ctx.rollout.clock, [round_of(ctx)], reserve=ctx.service.reserve
        )
        member = member_on(topology, cluster, ctx.host)
        if holding := refusing(found, force=bool(ctx.rollout.plan.force)):
            raise ClusterError(
                f"it may not be stopped now: {holding[0]}",
                where=str(ctx.instance),
                evidence="\n".join(f"{one.code}: {one}" for one in holding[:_LINES]),
                next=holding[0].next,
            )
        moved = await evacuate(ctx, topology, member.id)
        sealed = await cluster.seal(member.id, ctx.fence)
        return {
            "member": member.id,
            "moved": sum(one.left for one in moved),
            **({"sealed": sealed} if sealed else {}),
            "before": kept(topology, member.id),
        }
