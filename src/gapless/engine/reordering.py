"""Which member of a cluster is next, asked anew before each: leaderships move by themselves.

1. What an earlier controller began comes first, as it was begun.
2. Of the others those that lead least. Where the cluster cannot be asked the order stays: the gates
   of the next member will say why.
3. That the order is another one than announced is journaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gapless.clusters.order import Order
from gapless.clusters.topology import Topology
from gapless.engine.begun import was_begun
from gapless.engine.context import RolloutContext
from gapless.errors import GaplessError
from gapless.plans import Batch, ServicePlan


def begun_first(ctx: RolloutContext, service: ServicePlan) -> ServicePlan:
    """Rule 1, of a cluster; any other as it is."""
    if ctx.assembly.cluster(service.name) is None:
        return service
    begun = [host for host in service.hosts if was_begun(ctx, service, host)]
    return _rearranged(service, 0, [*begun, *(h for h in service.hosts if h not in begun)])


async def in_fresh_order(ctx: RolloutContext, service: ServicePlan, number: int) -> ServicePlan:
    """With the batches from ``number`` on in the order that holds now."""
    cluster = ctx.assembly.cluster(service.name)
    if cluster is None:
        return service
    left = [host for batch in service.batches[number:] for host in batch.hosts]
    begun = [host for host in left if was_begun(ctx, service, host)]
    try:
        topology = await cluster.topology()
    except GaplessError:
        return service
    rest = by_topology(topology, [host for host in left if host not in begun])
    fresh = _rearranged(service, number, [*begun, *rest])
    if fresh.hosts != service.hosts:
        ctx.emit("service.reordered", service=service.name, data={"hosts": [*begun, *rest]})
    return fresh


def by_topology(topology: Topology, hosts: Sequence[str]) -> tuple[str, ...]:
    """Hosts of members that lead least first; those of no member as they come, last."""
    members = {one.host: one.id for one in topology.members.values() if one.host in hosts}
    hosted = {member: host for host, member in members.items()}
    known = [hosted[member] for member in Order(topology).of_members(members.values())]
    return (*known, *(host for host in hosts if host not in members))


def _rearranged(service: ServicePlan, number: int, hosts: Sequence[str]) -> ServicePlan:
    """The same sizes and names, other hosts."""
    done = service.batches[:number]
    return replace(service, batches=(*done, *_dealt(service.batches[number:], hosts)))


def _dealt(batches: Sequence[Batch], hosts: Sequence[str]) -> Iterator[Batch]:
    left = list(hosts)
    for batch in batches:
        size = len(batch.hosts)
        yield replace(batch, hosts=tuple(left[:size]))
        left = left[size:]
