"""Which members may be restarted together, in as few rounds as possible.

1. Members that a group cannot spare at all are told apart, with that group: no round has them.
2. The others are put into rounds greedily, by colouring all of them, and by colouring zone after
   zone; the fewest rounds are kept.
3. The rounds are put in order: those that lead least first, singletons last.
4. Ranks are closed: whoever can go in an earlier round does. Rounds become fewer by that, never
   more. Who holds a singleton stays where it is.

No round takes more from a group than it can spare, as the topology is now: when a member fails
meanwhile, rounds have to be computed again before the next one begins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gapless.clusters.colouring import colouring
from gapless.clusters.gates import name_of
from gapless.clusters.greedy import greedy
from gapless.clusters.group import Group
from gapless.clusters.order import Order, natural
from gapless.clusters.tolerance import RESERVE, Filling, Tolerance, usable
from gapless.clusters.topology import Topology


@dataclass(frozen=True, slots=True)
class Round:
    """``why`` these may go together, and what the others ``wait`` for; "" for the last."""

    members: tuple[str, ...]
    why: str
    wait: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A member that no round may have: ``group`` cannot spare it, ``more`` others cannot either."""

    member: str
    group: str
    why: str
    never: bool = False
    """It cannot be spared when everything is well, either."""
    more: int = 0

    def __str__(self) -> str:
        others = f", and {self.more} more" if self.more else ""
        return f"{self.member}: {self.group} {self.why}{others}"


@dataclass(frozen=True, slots=True)
class Rounds:
    """``each`` in the order they go; those that are ``held`` are in none."""

    each: tuple[Round, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """All that go, in the order they do."""
        return tuple(member for one in self.each for member in one.members)


def rounds(
    topology: Topology,
    members: Iterable[str],
    *,
    at_once: int | None,
    zones_apart: bool = False,
    reserve: int = RESERVE,
    repair: bool = False,
) -> Rounds:
    """``at_once``: the most that a round may have. ``zones_apart``: no round has members of two
    zones. ``reserve``: how many unplanned failures a group is to bear meanwhile, where it has that
    much to spare and one more. ``repair``: those in trouble first. KeyError for a member that the
    cluster does not know."""
    if reserve < 0 or (at_once is not None and at_once < 1):
        raise ValueError(f"at_once is {at_once}, reserve is {reserve}")
    order = Order(topology, repair=repair)
    wanted = order.of_members(members)
    held = _held(topology, wanted)
    tolerance = Tolerance(
        topology,
        [member for member in wanted if member not in held],
        at_once=at_once,
        zones_apart=zones_apart,
        reserve=reserve,
    )
    in_turn = order.of_rounds(tolerance.names(one) for one in _fewest(tolerance))
    closed = [order.of_members(one) for one in _closed(tolerance, in_turn, order.singled_out)]
    waits = _Waits(topology, closed, at_once=at_once, zones_apart=zones_apart, reserve=reserve)
    return Rounds(
        tuple(
            Round(one, _together(topology, one), waits.after(number))
            for number, one in enumerate(closed)
        ),
        tuple(held[member] for member in wanted if member in held),
    )


def _held(topology: Topology, members: Sequence[str]) -> dict[str, Held]:
    wanted = frozenset(members)
    by_member: dict[str, list[Group]] = {}
    for group in topology.groups.values():
        if not usable(group):
            for member in wanted & group.in_sync:
                by_member.setdefault(member, []).append(group)
    return {member: _hold(member, groups) for member, groups in by_member.items()}


def _hold(member: str, groups: Sequence[Group]) -> Held:
    """A group that is never safe is told first: to wait for it is no use."""
    group = min(groups, key=lambda one: (one.ever_safe, natural(one.id)))
    never = not group.ever_safe
    has = f"{len(group.members)} in all" if never else f"{len(group.in_sync)} in sync"
    why = f"has {has} and needs {group.minimum}"
    return Held(member, group.id, why, never=never, more=len(groups) - 1)


def _fewest(tolerance: Tolerance) -> list[list[int]]:
    by_greed = greedy(tolerance)
    if len(by_greed) * tolerance.at_once < len(tolerance.members) + tolerance.at_once:
        return by_greed  # as few as there can be
    by_zone = [one for zone in tolerance.zones.values() for one in colouring(tolerance, zone)]
    return min(by_greed, colouring(tolerance, tolerance.everyone), by_zone, key=len)


def _closed(
    tolerance: Tolerance, in_turn: Iterable[Collection[str]], fixed: Collection[str]
) -> list[tuple[str, ...]]:
    """Each round in turn: its members go to the first that admits them, at the latest their own.
    Their own always does, as it has nobody yet who was not in it before. Those that are ``fixed``
    stay in it."""
    number_of = {member: number for number, member in enumerate(tolerance.members)}
    closed: list[Filling] = []
    for members in in_turn:
        own = Filling(tolerance)
        closed.append(own)
        for member in sorted(members, key=fixed.__contains__, reverse=True):
            open_to = [own] if member in fixed else closed
            number = number_of[member]
            next(one for one in open_to if one.admits(number)).take(number)
    return [tolerance.names(one.members) for one in closed if one.members]


def _together(topology: Topology, members: Sequence[str]) -> str:
    if len(members) == 1:
        return "alone"
    zones = {topology.members[member].zone for member in members}
    where = f"all in {zone}; " if len(zones) == 1 and (zone := next(iter(zones))) else ""
    return f"{where}no group loses more than it can spare"


class _Waits:
    """Why the first member of each round is not in the round before."""

    def __init__(
        self,
        topology: Topology,
        planned: Sequence[tuple[str, ...]],
        *,
        at_once: int | None,
        zones_apart: bool,
        reserve: int,
    ) -> None:
        self._topology = topology
        self._planned = planned
        self._at_once = at_once
        self._zones_apart = zones_apart
        self._reserve = reserve
        self._by_group = self._groups_in_the_way()

    def after(self, number: int) -> str:
        """What those after this round wait for."""
        if number + 1 == len(self._planned):
            return ""
        here, first = self._planned[number], self._planned[number + 1][0]
        if len(here) == self._at_once:
            return f"at most {self._at_once} at once"
        if first in self._by_group:
            return self._by_group[first]
        if self._zones_apart and self._zone(first) != self._zone(here[0]):
            return "one zone at a time"
        if roles := sorted(role for role, one in self._topology.singletons.items() if one == first):
            return f"{self._name(first)} is {' and '.join(roles)} and goes last"
        return f"nobody knows the zone of {self._name(first)}"

    def _name(self, member: str) -> str:
        return name_of(self._topology, member)

    def _zone(self, member: str) -> str:
        return self._topology.members[member].zone

    def _groups_in_the_way(self) -> Mapping[str, str]:
        """By first member of a round: the group that has nothing left for it in the one before."""
        before = {
            after[0]: frozenset(here)
            for here, after in zip(self._planned, self._planned[1:], strict=False)
        }
        waiting = frozenset(before)
        found: dict[str, list[str]] = {}
        for group in self._topology.groups.values():
            for member in waiting & group.in_sync:
                spent = self._topology.costs(group, before[member])
                if len(spent) >= usable(group, self._reserve):
                    found.setdefault(member, []).append(group.id)
        return {
            member: self._spent(min(groups, key=natural), member, before[member])
            for member, groups in found.items()
        }

    def _spent(self, name: str, member: str, here: Collection[str]) -> str:
        group = self._topology.groups[name]
        gone = sorted(self._topology.costs(group, here), key=natural)
        named = " and ".join(map(self._name, gone))
        whose = f"{named} {'is' if len(gone) == 1 else 'are'} of it"
        can = f"{name} can spare {usable(group, self._reserve)}"
        return f"{self._name(member)} waits: {can}, and {whose}"
