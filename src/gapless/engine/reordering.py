"""Which members of a cluster are next, asked anew before each batch: leaderships move by
themselves, and what a group can spare changes.

1. What an earlier controller began comes first, as it was begun: what is over one by one, then what
   is under way together.
2. Of the others those that lead least. Where several may go at once they go in rounds
   (``gapless.clusters.rounds``), none of which takes more from a group than it can spare. Those
   that no round may have come last and alone: the gates will say why.
3. Where the cluster cannot be asked the order stays: the gates of the next member will say why.
4. That the order is another one than announced is journaled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from gapless.clusters.member import Member
from gapless.clusters.order import Order
from gapless.clusters.rounds import Round, rounds
from gapless.clusters.topology import Topology
from gapless.engine.begun import closed, was_begun
from gapless.engine.context import RolloutContext
from gapless.errors import GaplessError
from gapless.plans import Batch, ServicePlan


def begun_first(ctx: RolloutContext, service: ServicePlan) -> ServicePlan:
    """Rule 1, of a cluster; any other as it is."""
    if ctx.assembly.cluster(service.name) is None:
        return service
    begun = _begun(ctx, service, service.hosts)
    if not begun:
        return service
    taken = frozenset(host for hosts in begun for host in hosts)
    rest = (tuple(h for h in batch.hosts if h not in taken) for batch in service.batches)
    return with_batches(service, 0, [*begun, *rest])


async def in_fresh_order(ctx: RolloutContext, service: ServicePlan, number: int) -> ServicePlan:
    """With the batches from ``number`` on as they have to be now."""
    cluster = ctx.assembly.cluster(service.name)
    if cluster is None or number >= len(service.batches):
        return service
    left = [host for batch in service.batches[number:] for host in batch.hosts]
    begun = _begun(ctx, service, left)
    taken = frozenset(host for hosts in begun for host in hosts)
    try:
        topology = await cluster.topology()
    except GaplessError:
        return service
    rest = [host for host in left if host not in taken]
    together = [one.members for one in in_rounds(topology, service, rest)]
    fresh = with_batches(service, number, [*begun, *together])
    if [batch.hosts for batch in fresh.batches] != [batch.hosts for batch in service.batches]:
        after = fresh.batches[number:]
        ctx.emit(
            "service.reordered",
            service=service.name,
            data={
                "hosts": [host for batch in after for host in batch.hosts],
                "batches": [list(batch.hosts) for batch in after],
            },
        )
    return fresh


def in_rounds(topology: Topology, service: ServicePlan, hosts: Sequence[str]) -> Iterator[Round]:
    """Rule 2, of hosts."""
    members = {one.host: one.id for one in topology.members.values() if one.host in hosts}
    hosted = {member: host for host, member in members.items()}
    if service.at_once == 1:
        alone = [hosted[member] for member in Order(topology).of_members(members.values())]
    else:
        planned = rounds(
            _zoned(topology, service),
            members.values(),
            at_once=service.at_once,
            zones_apart=bool(service.zone_by_zone),
            reserve=service.reserve,
        )
        for one in planned.each:
            yield replace(one, members=tuple(hosted[member] for member in one.members))
        alone = [hosted[one.member] for one in planned.held]
    for host in (*alone, *(host for host in hosts if host not in members)):
        yield Round((host,), "alone")


def _zoned(topology: Topology, service: ServicePlan) -> Topology:
    """With the zones that gapless.yaml gives, where the system names none."""

    def zone(member: Member) -> str:
        return member.zone or service.zone_by_zone.get(member.host, "")

    members = {one.id: replace(one, zone=zone(one)) for one in topology.members.values()}
    return replace(topology, members=members)


def _begun(
    ctx: RolloutContext, service: ServicePlan, hosts: Iterable[str]
) -> list[tuple[str, ...]]:
    """As they were begun: each that is over, and all that are under way."""
    begun = [host for host in hosts if was_begun(ctx, service, host)]
    over = [host for host in begun if closed(ctx, service, host)]
    under_way = tuple(host for host in begun if host not in over)
    return [*((host,) for host in over), *([under_way] if under_way else [])]


def with_batches(
    service: ServicePlan, number: int, together: Iterable[Collection[str]]
) -> ServicePlan:
    """Others from ``number`` on, named as those of a plan are."""
    after = [
        Batch(f"batch{position}", tuple(hosts))
        for position, hosts in enumerate((one for one in together if one), start=number + 1)
    ]
    return replace(service, batches=(*service.batches[:number], *after))
