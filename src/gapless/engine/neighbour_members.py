"""Members of other clusters on the host where one is stopped, as etcd under Patroni.

1. A stop there is one of theirs, too: the gates of each cluster decide whether its member may be
   stopped now, and those that go in a round together count together.
2. What they lead is moved away before anything that the member itself leads is. One that is no
   member yet leads nothing. Right before the stop the gates are asked again, and so is who leads:
   while ours handed over another one of theirs may have gone.
3. When the member is back, what was ordered for them is taken back, and their clusters have to be
   led and full in several views in a row: else it has not rejoined.
4. A cluster that cannot be asked is not safe.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.member import Member
from gapless.clusters.order import wanted
from gapless.clusters.topology import Topology
from gapless.config.clusters import ClusterConfig
from gapless.drivers.clusters.base import Cluster
from gapless.engine.assembly import Assembly
from gapless.engine.context import InstanceContext
from gapless.engine.members import (
    SETTLES,
    fit_to_stop,
    move_away,
    objections,
    refusing,
    restarted_on,
    round_of,
    silent,
)
from gapless.errors import ClusterError, GaplessError
from gapless.places import machine_of
from gapless.plans import StepKind

_LINES = 10
_LOOK = 0.1
"""Seconds between two views."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another service that is a cluster, and ``places`` of its members on the hosts of ours."""

    service: str
    cluster: Cluster
    config: ClusterConfig
    places: tuple[str, ...]

    def beside(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Its places on the machines of these hosts."""
        machines = {machine_of(host) for host in hosts}
        return tuple(place for place in self.places if machine_of(place) in machines)


def neighbours_of(assembly: Assembly, service: str) -> Iterator[Neighbour]:
    """All that a stop of a member of the service may touch."""
    for name, places in assembly.neighbours(service).items():
        cluster, config = assembly.cluster(name), assembly.service(name).cluster
        if cluster is not None and config is not None:
            yield Neighbour(name, cluster, config, places)


async def objections_of_neighbours(
    assembly: Assembly,
    clock: Clock,
    service: str,
    rounds: Iterable[Sequence[str]],
    *,
    again: bool = False,
) -> tuple[Finding, ...]:
    """What their clusters say against stopping what is on these hosts; rule 1. ``again``: a move
    may have been cut off in the middle, and its cluster is ending it."""
    asked = list(rounds)
    found: list[Finding] = []
    for neighbour in neighbours_of(assembly, service):
        theirs = [places for hosts in asked if (places := neighbour.beside(hosts))]
        if theirs:
            found += [
                of_neighbour(neighbour, service, one)
                for one in await _ask(neighbour, clock, theirs, again=again)
            ]
    return tuple(found)


async def _ask(
    neighbour: Neighbour, clock: Clock, rounds: Sequence[Sequence[str]], *, again: bool
) -> tuple[Finding, ...]:
    settles = neighbour.config.transfer if again else SETTLES
    try:
        _, found = await objections(
            neighbour.cluster, clock, rounds, strangers=True, settles=settles
        )
    except GaplessError as error:
        return (silent(neighbour.cluster, error),)
    return found


def of_neighbour(neighbour: Neighbour, service: str, finding: Finding) -> Finding:
    """For who reads it beside those of the service itself."""
    leave = f"where a stop of {service} does not touch it: cluster.neighbours: leave"
    return replace(
        finding,
        where=f"{neighbour.service} on the same host: {finding.where}",
        next=f"{finding.next}\n{leave}" if finding.next else leave,
    )


async def members_beside(ctx: InstanceContext) -> dict[str, dict[str, str]]:
    """By service the ids of their members here, each with its trouble, before anything is ordered:
    what was in trouble then may be so when ours is back. Raises ClusterError."""
    found: dict[str, dict[str, str]] = {}
    for neighbour in beside_it(ctx):
        _, members = await theirs_here(ctx, neighbour)
        found[neighbour.service] = {member.id: member.trouble for member in members}
    return {service: members for service, members in found.items() if members}


async def evacuate_neighbours(ctx: InstanceContext, *asked: Neighbour) -> dict[str, int]:
    """By service how many leaderships left its members here; rule 2. Raises ClusterError; what was
    ordered for any of them is taken back then."""
    moved: dict[str, int] = {}
    try:
        for neighbour in asked or beside_it(ctx):
            topology, members = await theirs_here(ctx, neighbour)
            for member in members:
                if still_leads(topology, member.id) is not None:
                    left = await _evacuate(ctx, neighbour, topology, member)
                    moved[neighbour.service] = moved.get(neighbour.service, 0) + left
    except GaplessError:
        await restore_neighbours(ctx)
        raise
    return moved


async def _evacuate(
    ctx: InstanceContext, neighbour: Neighbour, topology: Topology, member: Member
) -> int:
    def on(hosts: Iterable[str]) -> frozenset[str]:
        places = neighbour.beside(hosts)
        return frozenset(one.id for one in topology.members.values() if one.host in places)

    to = wanted(topology, member.id, on(restarted_on(ctx)), leaving=on(round_of(ctx)[1:]))
    moved = await move_away(
        ctx, neighbour.cluster, topology, member.id, to, within=neighbour.config.transfer
    )
    return sum(one.left for one in moved)


async def evacuate_neighbours_again(ctx: InstanceContext) -> None:
    """Right before the stop, as for the member itself. Raises ClusterError."""
    evacuated = ctx.facts.get(StepKind.EVACUATE, {})
    if evacuated.get("member") is None or ctx.key(StepKind.SWITCH) in ctx.rollout.steps:
        return
    moved = evacuated.get("beside", {})
    for neighbour in beside_it(ctx):
        await fit_to_stop(
            ctx,
            neighbour.cluster,
            partial(_members_on, neighbour.beside(round_of(ctx))),
            within=neighbour.config.transfer if moved.get(neighbour.service) else SETTLES,
            told=partial(of_neighbour, neighbour, ctx.service.name),
        )
    await evacuate_neighbours(ctx)


def _members_on(places: Collection[str], topology: Topology) -> list[str]:
    return [one.id for one in topology.members.values() if one.host in places]


async def settle_neighbours(ctx: InstanceContext) -> None:
    """Rule 3. Raises ClusterError when one is not as it has to be within its ``rejoin``."""
    known = ctx.facts.get(StepKind.EVACUATE, {}).get("neighbours", {})
    for neighbour in beside_it(ctx):
        await _settle(ctx, neighbour, known.get(neighbour.service, {}))


async def _settle(ctx: InstanceContext, neighbour: Neighbour, here: Mapping[str, str]) -> None:
    """``here``: its members on this host as they were before, each with its trouble."""
    clock, force = ctx.rollout.clock, bool(ctx.rollout.plan.force)
    until, views = clock.monotonic() + neighbour.config.rejoin, 0
    absent = set(neighbour.beside(round_of(ctx)[1:]))
    down = {member for member, trouble in here.items() if trouble}
    left = list(here)
    while views < neighbour.config.views:
        try:
            while left:
                await neighbour.cluster.restore(left[0], ctx.fence)
                left.pop(0)
            topology = await neighbour.cluster.topology()
            # those of the same round wait for themselves
            stopping = _members_on(absent, topology)
            stopping += down & topology.members.keys()
            found = refusing(refusals(topology, stopping), force=force)
        except ClusterError as error:
            found = (silent(neighbour.cluster, error),)
        views = 0 if found else views + 1
        if found and clock.monotonic() >= until:
            raise ClusterError(
                f"{neighbour.service} on the same host is not as it was: {found[0]}",
                where=str(ctx.instance),
                evidence="\n".join(f"{one.code}: {one}" for one in found[:_LINES]),
                next=found[0].next,
            )
        if views < neighbour.config.views:
            await clock.sleep(_LOOK)


async def members_here(
    ctx: InstanceContext, services: Collection[str]
) -> list[tuple[Cluster, Topology, str]]:
    """Of those services, by id, each with its cluster as it stands now. Raises ClusterError."""
    found: list[tuple[Cluster, Topology, str]] = []
    for neighbour in beside_it(ctx):
        if neighbour.service in services:
            topology, members = await theirs_here(ctx, neighbour)
            found += [(neighbour.cluster, topology, member.id) for member in members]
    return found


async def restore_neighbours(ctx: InstanceContext) -> None:
    """As well as can be: what was ordered ends by itself, too."""
    if ctx.key(StepKind.EVACUATE) not in ctx.rollout.steps:
        return
    for neighbour in beside_it(ctx):
        with contextlib.suppress(GaplessError):
            _, members = await theirs_here(ctx, neighbour)
            for member in members:
                await neighbour.cluster.restore(member.id, ctx.fence)


def beside_it(ctx: InstanceContext) -> Iterator[Neighbour]:
    """Those that have members on its host."""
    for neighbour in neighbours_of(ctx.rollout.assembly, ctx.service.name):
        if neighbour.beside((ctx.host,)):
            yield neighbour


async def theirs_here(ctx: InstanceContext, neighbour: Neighbour) -> tuple[Topology, list[Member]]:
    """Its cluster as it stands now, and its members on the host of this one."""
    topology = await neighbour.cluster.topology()
    found = (topology.on(place) for place in neighbour.beside((ctx.host,)))
    return topology, [member for member in found if member is not None]
