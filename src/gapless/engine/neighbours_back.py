"""Members of other clusters on a host where one goes back: may they be stopped once more?

1. Where our own member is in trouble, or one of theirs here, it goes back to be mended, unless
   nobody could undo that.
2. Where all of them are back nothing is stopped a second time while their cluster says anything
   against it: another one of theirs may be the reason why the rollout stops.
3. A cluster that cannot be asked is none that ours would be spared for: ours may have broken it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.engine.context import InstanceContext
from gapless.engine.member_back import StaysUp
from gapless.engine.members import SETTLES, cluster_of, member_on, refusing, round_of, unsafe
from gapless.engine.neighbour_members import (
    Neighbour,
    beside_it,
    evacuate_neighbours,
    of_neighbour,
    theirs_here,
)
from gapless.errors import ClusterError
from gapless.plans import StepKind

_LOOK = 0.5


async def evacuate_neighbours_to_go_back(ctx: InstanceContext) -> None:
    """They lead nothing here any more. Raises ClusterError."""
    if ctx.facts.get(StepKind.EVACUATE, {}).get("member") is None:
        return
    back = await _is_back(ctx)
    for neighbour in beside_it(ctx):
        if await _lets_go(ctx, neighbour, back=back):
            await evacuate_neighbours(ctx, neighbour)


async def _is_back(ctx: InstanceContext) -> bool:
    """Whether ours is."""
    cluster = cluster_of(ctx)
    try:
        topology = await cluster.topology()
        return _serves(topology, member_on(topology, cluster, ctx.host))
    except ClusterError:
        return False


async def _lets_go(ctx: InstanceContext, neighbour: Neighbour, *, back: bool) -> bool:
    """Whether it can be asked at all. What is over soon is waited for. Raises StaysUp while it
    holds ours."""
    clock = ctx.rollout.clock
    until = clock.monotonic() + SETTLES
    while True:
        try:
            topology, members = await theirs_here(ctx, neighbour)
            holding = await _against(ctx, neighbour, topology, members, back=back)
        except ClusterError:
            return False
        if not holding:
            return True
        if clock.monotonic() >= until:
            told = [of_neighbour(neighbour, ctx.service.name, one) for one in holding]
            raise StaysUp(
                f"it may not be stopped to go back: {told[0]}",
                where=str(ctx.instance),
                holding=told,
                well=back,
            )
        await clock.sleep(_LOOK)


async def _against(
    ctx: InstanceContext,
    neighbour: Neighbour,
    topology: Topology,
    members: Sequence[Member],
    *,
    back: bool,
) -> Sequence[Finding]:
    ids = [one.id for one in members]
    found = await unsafe(neighbour.cluster, topology, ids)
    holding = [one for one in found if one.absolute]
    well = members and all(_serves(topology, one) for one in members)
    if holding or not back or not well:
        return holding
    others = neighbour.beside(round_of(ctx)[1:])
    stopping = [*ids, *(one.id for one in topology.members.values() if one.host in others)]
    return refusing(refusals(topology, stopping), force=bool(ctx.rollout.plan.force))


def _serves(topology: Topology, member: Member) -> bool:
    groups = topology.groups_of(member.id)
    return member.well and all(member.id in group.in_sync for group in groups)
