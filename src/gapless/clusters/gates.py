"""What speaks against stopping members of a cluster now, whatever the system is.

1. Nobody is sure: members do not answer alike (the driver's own findings), or only one was asked.
2. The cluster is not well before anything is done: a member is in trouble, a group has no leader,
   or not all of its members are in sync. Those that are to be stopped may be the ones in trouble:
   then stopping them is the way to mend them, and it costs no group anything that serves.
3. Too little would be left: fewer than the minimum of a group, or its last member in hand for a
   failure that nobody planned, where the size of the group has one.
4. Nobody could take over: a group that is led from there has no other member in sync.

A finding that is ``absolute`` cannot be forced: without a quorum there is nobody who could undo it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology

FEWEST_VOTERS = 3
"""With fewer there is no majority left without one of them."""
NOT_IN_SYNC = "not-in-sync"
_SHOWN = 5


def refusals(
    topology: Topology, stopping: Collection[str], *, reserve: int = 1
) -> tuple[Finding, ...]:
    """Why these members (ids) may not be stopped together now; empty when they may. Without a
    ``reserve`` rule 3 asks for the minimum alone."""
    return (
        *(one for one in topology.findings if one.absolute or one.member not in stopping),
        *_unsure(topology),
        *_absent(topology, stopping),
        *_in_trouble(topology, stopping),
        *(f for group in topology.groups.values() for f in _of(topology, group, stopping, reserve)),
    )


def still_leads(topology: Topology, member: str) -> Finding | None:
    """The leaderships that a member holds, before it is stopped; None when there are none."""
    led = [group.id for group in topology.led_by(member) if group.movable]
    if not led:
        return None
    return Finding(
        code="still-leads",
        where=name_of(topology, member),
        what=f"it leads {_counted(len(led), 'group')}: {_some(led)}",
        next="see in the logs of the others why they were not taken over",
    )


def name_of(topology: Topology, member: str) -> str:
    """For people: the host where it is known, and the identity in its cluster where that is another
    word."""
    found = topology.members.get(member)
    if found is None or found.host in ("", member):
        return member
    return f"{found.host} ({member})"


def names_of(topology: Topology, members: Iterable[str]) -> list[str]:
    """Of each."""
    return [name_of(topology, member) for member in members]


def _unsure(topology: Topology) -> Iterator[Finding]:
    if len(topology.asked) < 2 and len(topology.members) > 1:
        yield Finding(
            code="one-witness",
            where="the cluster",
            what=f"{len(topology.asked)} of {_counted(len(topology.members), 'member')} answered: "
            "one alone is not believed",
            next="see why the others do not answer",
        )


def _absent(topology: Topology, stopping: Collection[str]) -> Iterator[Finding]:
    for member in stopping:
        if member not in topology.members:
            yield Finding(
                code="not-a-member",
                where=member,
                what="the cluster does not know it",
                evidence=f"its members: {_some(names_of(topology, topology.members))}",
                next="add it to the cluster, or take its host out of the service",
            )


def _in_trouble(topology: Topology, stopping: Collection[str]) -> Iterator[Finding]:
    told = {*stopping, *(finding.member for finding in topology.findings)}
    for member in topology.members.values():
        if not member.well and member.id not in told:
            yield Finding(
                code="member-in-trouble",
                where=name_of(topology, member.id),
                what=member.trouble,
                member=member.id,
                next=f"mend it first{_by_itself(member)}",
            )


def _by_itself(member: Member) -> str:
    return f", or restart it alone: --hosts {member.host}" if member.host else ""


def _of(
    topology: Topology, group: Group, stopping: Collection[str], reserve: int
) -> Iterator[Finding]:
    """Those of one group. A group that none of these is of is asked all the same: a cluster that
    is not well is left alone."""
    if group.led and not group.leader:
        yield Finding(
            code="no-leader",
            where=group.id,
            what=f"nobody leads it; {_of_whom(topology, group)}",
            next="wait for its election, and see the logs of its members",
        )
    costs = topology.costs(group, stopping)
    left = len(group.in_sync) - len(costs)
    yield from _not_full(topology, group, stopping)
    if costs:
        yield from _too_little_left(group, left, reserve)
        yield from _nobody_else(topology, group, stopping)


def _of_whom(topology: Topology, group: Group) -> str:
    if not group.members:
        return "nobody tells of a member of it"
    return f"members are {_some(names_of(topology, group.members))}"


def _not_full(topology: Topology, group: Group, stopping: Collection[str]) -> Iterator[Finding]:
    behind = [m for m in group.members if m not in group.in_sync and m not in stopping]
    if behind:
        yield Finding(
            code=NOT_IN_SYNC,
            where=group.id,
            what=f"{len(group.in_sync)} of {len(group.members)} members are in sync; "
            f"{_some(names_of(topology, behind))} {'is' if len(behind) == 1 else 'are'} not",
            evidence=_positions(topology, group),
            next="wait until it has caught up, and see its log if it does not",
        )


def _too_little_left(group: Group, left: int, reserve: int) -> Iterator[Finding]:
    if group.kind is Kind.QUORUM and len(group.members) < FEWEST_VOTERS:
        yield Finding(
            code="too-few-voters",
            where=group.id,
            what=f"it has {_counted(len(group.members), 'voter')}: with fewer than {FEWEST_VOTERS} "
            "it stands still while one is down",
            next="add members; --force with a reason restarts them with an outage",
        )
        return
    if not group.ever_safe:
        yield Finding(
            code="never-safe",
            where=group.id,
            what=f"it needs {group.minimum} of its {_counted(len(group.members), 'member')}: none "
            "may ever be down",
            next="give it more replicas, or a smaller minimum",
        )
        return
    if left < group.minimum:
        yield Finding(
            code="quorum-lost" if group.kind is Kind.QUORUM else "too-few-in-sync",
            where=group.id,
            what=f"{left} of {len(group.members)} would be left, and it needs {group.minimum}",
            next="fewer at once, or wait until those that are down are back",
            absolute=group.kind is Kind.QUORUM,
        )
        return
    if reserve and left == group.minimum and len(group.members) - group.minimum > 1:
        yield Finding(
            code="no-reserve",
            where=group.id,
            what=f"{left} of {len(group.members)} would be left, just what it needs: one more "
            "failure and it stands still",
            next="fewer at once, or wait until those that are down are back",
        )


def _nobody_else(topology: Topology, group: Group, stopping: Collection[str]) -> Iterator[Finding]:
    if group.leader in stopping and not group.in_sync - set(stopping):
        yield Finding(
            code="nobody-takes-over",
            where=group.id,
            what=f"{name_of(topology, group.leader)} leads it, and no other member is in sync",
            evidence=_positions(topology, group),
            next="wait until a follower has caught up",
        )


def _positions(topology: Topology, group: Group) -> str:
    return ", ".join(f"{name_of(topology, one)} at {at}" for one, at in group.position.items())


def _some(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
