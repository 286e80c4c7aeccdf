"""What a plan says of a cluster: who goes first and why, and why it would be refused.

1. Members go in rounds: those that lead least first, and together only what its groups can spare.
   Which ones is worked out anew before each round.
2. A cluster that cannot be asked leaves the order of gapless.yaml, and says why.
3. What speaks against stopping its members makes the plan one that is refused, unless it is forced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gapless.clusters.rounds import Round
from gapless.clusters.topology import Topology
from gapless.config.services import ServiceConfig
from gapless.engine.opening_clusters import begin_all
from gapless.engine.reordering import in_rounds, with_batches
from gapless.planning.survey import SeenCluster
from gapless.plans import ServicePlan, StepKind

_SHOWN = 5
_ASKED = (
    "it has to let its members be stopped, too, what they lead is moved away before, and no other"
    " rollout has it meanwhile"
)


def spared(
    service: ServicePlan, config: ServiceConfig, most: int, zones: Mapping[str, str]
) -> ServicePlan:
    """With what its rounds are worked out from; any other as it is. ``zones`` are those of hosts in
    gapless.yaml."""
    if config.cluster is None:
        return service
    known = {host: zones.get(host, "") for host in service.hosts}
    return replace(
        service,
        at_once=most,
        reserve=config.cluster.reserve if most > 1 else 1,
        zone_by_zone=known if most > 1 and config.cluster.zone_by_zone else {},
    )


def with_cluster(service: ServicePlan, seen: SeenCluster | None, *, force: str) -> ServicePlan:
    """With what its cluster answered."""
    if seen is None or StepKind.EVACUATE not in service.steps:
        return service
    holding = [one for one in seen.findings if one.absolute or not force]
    forced = [one for one in seen.findings if one not in holding]
    rounds = tuple(_rounds(service, seen.topology))
    service = with_batches(service, 0, [one.members for one in rounds]) if rounds else service
    notes = [f"{service.name}: {note}" for note in _order_of(service, seen.topology, rounds)]
    notes += [f"{service.name}: {name} is on the same hosts: {_ASKED}" for name in seen.neighbours]
    notes += [f"{service.name}: forced: {one}" for one in forced]
    unsafe = ["; ".join([str(one), *one.next.splitlines()]) for one in holding[:_SHOWN]]
    unsafe += [f"{len(holding) - _SHOWN} more"] if len(holding) > _SHOWN else []
    unsafe += [begin_all(service.name)] if seen.topology is None and holding else []
    return replace(service, notes=(*service.notes, *notes), unsafe=tuple(unsafe))


def _rounds(service: ServicePlan, topology: Topology | None) -> Iterator[Round]:
    """Hosts where nothing is installed yet go first, alone: they are no members."""
    if topology is None:
        return
    for host in service.installs:
        yield Round((host,), "alone")
    hosts = [host for host in service.hosts if host not in service.installs]
    yield from in_rounds(topology, service, hosts)


def _order_of(
    service: ServicePlan, topology: Topology | None, rounds: Sequence[Round]
) -> Iterator[str]:
    if topology is None:
        return
    leads = topology.leads
    led = {one.host: leads[one.id] for one in topology.members.values() if one.host}
    last = [f"{host} leads {led[host]:,}" for host in service.hosts if led.get(host)]
    if last:
        more = f" and {len(last) - _SHOWN} more" if len(last) > _SHOWN else ""
        counted = f"{', '.join(last[-_SHOWN:])}{more} of {len(topology.groups):,} groups"
        yield f"followers first; {counted}: {_how(topology)}"
    if service.at_once > 1:
        yield from _together(service, rounds)


def _how(topology: Topology) -> str:
    """How leaderships come to move."""
    stay = sum(bool(group.leader) and not group.movable for group in topology.groups.values())
    if not stay:
        return "leaders move to members that were restarted already"
    return f"{stay:,} of their leaders hand over only when they stop, any others move before"


def _together(service: ServicePlan, rounds: Sequence[Round]) -> Iterator[str]:
    """Why so many rounds, and who waits for what."""
    counted = f"{len(rounds):,} round{'s' * (len(rounds) != 1)}"
    kept = f"{service.reserve} failure{'s' * (service.reserve != 1)}"
    yield f"{counted} of up to {service.at_once}, a reserve for {kept} kept where a group has one"
    waits = [one.wait for one in rounds if one.wait]
    yield from waits[:_SHOWN]
    if len(waits) > _SHOWN:
        yield f"and so in {len(waits) - _SHOWN:,} more rounds"
