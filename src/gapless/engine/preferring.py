"""A member that is back leads again what it is the preferred leader of.

1. Only where its system names preferred leaders, and only when it has rejoined: it is caught up.
2. So each group moves away once and back once, and leaders are where they were, also where the
   rollout ends in the middle.
3. What was moved away from members of neighbours on its host comes back in the same way.
4. The cluster is asked what became of it. What does not come back is told, and undoes nobody: it is
   served all the same.
"""

from __future__ import annotations

from gapless.clusters.order import to_be_led
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, PrefersLeaders
from gapless.engine.context import InstanceContext
from gapless.engine.neighbour_members import members_here
from gapless.errors import FenceRefused, GaplessError
from gapless.plans import StepKind

_SHOWN = 5


async def lead_again_beside(ctx: InstanceContext) -> dict[str, int]:
    """By neighbour how many its members here lead again. Raises FenceRefused."""
    moved = ctx.facts[StepKind.EVACUATE].get("beside", {})
    again: dict[str, int] = {}
    try:
        for cluster, topology, member in await members_here(ctx, moved):
            again[cluster.name] = again.get(cluster.name, 0) + await lead_again(
                ctx, cluster, topology, member
            )
    except FenceRefused:
        raise
    except GaplessError as error:
        ctx.emit("instance.warned", StepKind.REJOIN, why=f"neighbours may not lead again: {error}")
    return {name: count for name, count in again.items() if count}


async def lead_again(ctx: InstanceContext, cluster: Cluster, now: Topology, member: str) -> int:
    """How many it leads again. Raises FenceRefused, where its host obeys somebody else by now."""
    if not isinstance(cluster, PrefersLeaders) or not to_be_led(now, member):
        return 0
    try:
        if ctx.fence is not None:
            await ctx.transport.remember(ctx.fence, {})
        moved = await cluster.prefer(member)
        left = [one.id for one in to_be_led(await cluster.topology(), member)]
    except FenceRefused:
        raise
    except GaplessError as error:
        why = f"{_who(ctx, cluster)} may not lead again: {error.what}"
        ctx.emit("instance.warned", StepKind.REJOIN, why=why)
        return 0
    if left:
        whys = {one.group: one.why for one in moved}
        told = "; ".join(f"{one}: {whys.get(one) or 'it moved away'}" for one in left[:_SHOWN])
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        who = _who(ctx, cluster)
        why = f"{who} does not lead again what it is the preferred leader of: {told}{more}"
        ctx.emit("instance.warned", StepKind.REJOIN, why=why)
    return sum(one.group not in left for one in moved)


def _who(ctx: InstanceContext, cluster: Cluster) -> str:
    own = cluster.name == ctx.service.name
    return "it" if own else f"{cluster.name} on the same host"
