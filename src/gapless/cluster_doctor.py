"""Examines each cluster before anything is at stake: who is what in it, and what would speak
against stopping each of its members, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.clock import Clock
from gapless.clusters.finding import Finding as Objection
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster
from gapless.engine.members import objections
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError
from gapless.finding import Finding
from gapless.inventory.inventory import Inventory
from gapless.model import Verdict, VerdictStatus
from gapless.places import machine_of

_CHECK = "cluster"


async def examine_clusters(
    assembly: ProjectAssembly, inventory: Inventory, hosts: Sequence[str], clock: Clock
) -> list[Finding]:
    """Findings of the clusters that have members on these hosts."""
    found: list[Finding] = []
    for service in assembly.config.services:
        places = [p for p in inventory.hosts_of(service) if machine_of(p) in hosts]
        cluster = assembly.cluster(service)
        if cluster is not None and places:
            found += await _cluster(cluster, places, clock)
    return found


async def _cluster(cluster: Cluster, places: Sequence[str], clock: Clock) -> list[Finding]:
    try:
        topology, against = await objections(
            cluster, clock, [(place,) for place in places], strangers=True
        )
    except GaplessError as error:
        answer = "\n".join(filter(None, (error.what, error.evidence)))
        return [_bad(cluster, places[0], f"ask {cluster.kind}", answer, error.next)]
    return [
        *(_member(cluster, topology, place) for place in places),
        *_against(cluster, topology, places, against),
    ]


def _member(cluster: Cluster, topology: Topology, place: str) -> Finding:
    """What it is, or that the cluster does not know it."""
    member = topology.on(place)
    if member is None:
        known = ", ".join(sorted(one.host or one.id for one in topology.members.values()))
        answer = f"no member of {cluster.kind} runs there; members: {known or 'none that answers'}"
        remedy = "add it to the cluster, or take the host out of the service"
        return _bad(cluster, place, "member", answer, remedy)
    if not member.well:
        return _bad(cluster, place, "member", member.trouble, f"gapless status {cluster.name}")
    verdict = Verdict(VerdictStatus.PASS, _CHECK, "member", ", ".join(_told(topology, member)))
    return Finding(place, cluster.name, verdict)


def _told(topology: Topology, member: Member) -> Iterator[str]:
    groups, leads = topology.groups_of(member.id), len(topology.led_by(member.id))
    in_sync = sum(member.id in group.in_sync for group in groups)
    yield " ".join(filter(None, (member.id, member.role, member.version)))
    yield f"in sync in {in_sync:,} of {len(groups):,} groups"
    yield f"leads {leads:,}"


def _against(
    cluster: Cluster, topology: Topology, places: Sequence[str], against: Sequence[Objection]
) -> Iterator[Finding]:
    """Each once, on the host of the member that it is about, else on the first."""
    for one in against:
        member = topology.members.get(one.member)
        place = member.host if member is not None and member.host else places[0]
        told = "\n".join(filter(None, (str(one), one.evidence)))
        yield _bad(cluster, place, f"may be restarted ({one.code})", told, one.next)


def _bad(cluster: Cluster, place: str, asked: str, answer: str, remedy: str) -> Finding:
    verdict = Verdict(VerdictStatus.FAIL, _CHECK, asked, answer)
    return Finding(place, cluster.name, verdict, remedy or f"gapless status {cluster.name}")
