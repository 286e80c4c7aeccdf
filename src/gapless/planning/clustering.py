"""What a plan says of a cluster: who goes first and why, and why it would be refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gapless.clusters.topology import Topology
from gapless.engine.reordering import by_topology
from gapless.planning.survey import SeenCluster
from gapless.plans import ServicePlan, StepKind
from gapless.strategies.rolling import Group

_SHOWN = 5


def followers_first(groups: tuple[Group, ...], seen: SeenCluster | None) -> tuple[Group, ...]:
    """With the hosts of each in the order that holds now."""
    if seen is None or seen.topology is None:
        return groups
    topology = seen.topology
    return tuple(replace(group, hosts=by_topology(topology, group.hosts)) for group in groups)


def with_cluster(service: ServicePlan, seen: SeenCluster | None, *, force: str) -> ServicePlan:
    """With what its cluster answered."""
    if seen is None or StepKind.EVACUATE not in service.steps:
        return service
    holding = [one for one in seen.findings if one.absolute or not force]
    forced = [one for one in seen.findings if one not in holding]
    notes = [f"{service.name}: {note}" for note in _order_of(service, seen.topology)]
    notes += [f"{service.name}: forced: {one}" for one in forced]
    unsafe = [f"{one}{f'; {one.next}' if one.next else ''}" for one in holding[:_SHOWN]]
    unsafe += [f"{len(holding) - _SHOWN} more"] if len(holding) > _SHOWN else []
    return replace(service, notes=(*service.notes, *notes), unsafe=tuple(unsafe))


def _order_of(service: ServicePlan, topology: Topology | None) -> Iterator[str]:
    if topology is None:
        return
    leads = topology.leads
    led = {one.host: leads[one.id] for one in topology.members.values() if one.host}
    last = [f"{host} leads {led[host]:,}" for host in service.hosts if led.get(host)]
    if last:
        more = f" and {len(last) - _SHOWN} more" if len(last) > _SHOWN else ""
        yield (
            f"followers first; {', '.join(last[-_SHOWN:])}{more} of {len(topology.groups):,} "
            "groups: leaders move to members that were restarted already"
        )
