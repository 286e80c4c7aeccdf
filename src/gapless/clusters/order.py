"""Which member goes when, and where its leaderships go meanwhile: followers first.

1. Who leads little goes first: what moves away from the others later finds members that have been
   restarted already, and stays there.
2. Who holds a role of which there is one in the cluster goes last, so that it moves once.
3. Else the order is that of the ids, numbers in them as numbers: the same facts give the same order
   again.

So a group moves once at most, or twice where it is led by the first of its members to go: that one
finds nobody who has been restarted. A roll one by one moves no more than all groups, and those once
more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from gapless.clusters.group import Group
from gapless.clusters.topology import Topology

Natural = tuple[tuple[str | int, ...], str]
"""Words and numbers in turn, then the id itself."""


def natural(text: str) -> Natural:
    """To sort by: ``n2`` before ``n10``."""
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(part) if odd % 2 else part for odd, part in enumerate(parts)), text


class Order:
    """Of members and of rounds, as the cluster is now. With ``repair`` those in trouble come first:
    to restart them is the point. KeyError for a member that the cluster does not know."""

    def __init__(self, topology: Topology, *, repair: bool = False) -> None:
        self._members = topology.members
        self._leads = topology.leads
        self._repair = repair
        self.singled_out = frozenset(topology.singletons.values())
        """Those that hold a role of which there is one."""

    def of_members(self, members: Iterable[str]) -> tuple[str, ...]:
        """Each of them once."""
        return tuple(sorted(set(members), key=lambda member: self._place((member,))))

    def of_rounds(self, rounds: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
        """As their members go: the round with a singleton last, else by all that they lead."""
        return tuple(sorted((self.of_members(one) for one in rounds), key=self._place))

    def _place(self, members: tuple[str, ...]) -> tuple[bool, bool, int, Natural]:
        troubled = self._repair and any(self._members[member].trouble for member in members)
        return (
            not self.singled_out.isdisjoint(members),
            not troubled,
            sum(self._leads[member] for member in members),
            natural(members[0]),
        )


def targets(
    topology: Topology, member: str, done: Collection[str], *, leaving: Collection[str] = ()
) -> dict[str, str]:
    """By group that the member leads: who is to lead it instead. Those that have been restarted
    come first, then those that have got furthest, then those that lead fewest, what they are given
    here counted. Nothing goes to those that are ``leaving`` in the same round. Groups that cannot
    be told to hand over, or that have nobody else in sync, are not in it."""
    leads = dict(topology.leads)
    moves: dict[str, str] = {}
    for group in sorted(topology.led_by(member), key=lambda group: natural(group.id)):
        able = group.in_sync.difference(leaving, (member,)) if group.movable else ()
        if able:
            moves[group.id] = _fittest(group, able, done, leads)
            leads[moves[group.id]] = leads.get(moves[group.id], 0) + 1
    return moves


def wanted(
    topology: Topology, member: str, done: Collection[str], *, leaving: Collection[str] = ()
) -> tuple[str, ...]:
    """To whom what it leads may go, the best first; to nobody who is ``leaving``. Of several groups
    each has its own, so that leaders spread; one alone may go to whoever is restarted already like
    the best, as the system itself likes: to insist on one of them may take it long."""
    moves = targets(topology, member, done, leaving=leaving)
    if len(moves) != 1:
        return tuple(dict.fromkeys(moves.values()))
    ((name, best),) = moves.items()
    group = topology.groups[name]
    alike = [
        one
        for one in group.in_sync.difference(leaving, (member, best))
        if (one in done) is (best in done)
    ]
    alike.sort(key=lambda one: (-group.position.get(one, 0), natural(one)))
    return (best, *alike)


def _fittest(
    group: Group, able: Collection[str], done: Collection[str], leads: dict[str, int]
) -> str:
    return min(
        able,
        key=lambda one: (
            one not in done,
            -group.position.get(one, 0),
            leads.get(one, 0),
            natural(one),
        ),
    )


def to_be_led(topology: Topology, member: str) -> tuple[Group, ...]:
    """Groups that prefer it as their leader, and that another one leads."""
    groups = (group for group in topology.groups.values() if group.preferred == member)
    return tuple(group for group in groups if group.leader not in ("", member) and group.movable)
