"""What groups can spare for one round, in numbers that can be reckoned with quickly.

1. A group gives its slack. Of a slack of two or more a reserve is kept for a failure that nobody
   planned, but one it always gives: ``usable``.
2. Members are numbers in the order given, and a set of members is an int with their bits.
3. Groups that give one make pairs: two members of such a group never go together. So are members
   of two zones, where zones are kept apart; who is in no known zone goes alone.
4. Groups that give more, and have more members than that, are counted while a round is filled.
5. Groups with the same members in sync are one: the tightest of them counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from gapless.clusters.group import Group
from gapless.clusters.topology import Topology

RESERVE = 1
"""How many failures that nobody planned a group is to bear during a round, where it can."""


def usable(group: Group, reserve: int = RESERVE) -> int:
    """How many of those in sync one round may take from it; 0 when none may go."""
    slack = group.slack
    if slack <= 0 or not group.ever_safe:
        return 0
    return max(1, slack - reserve)


def members_in(bits: int) -> Iterator[int]:
    """The numbers in a set, from the lowest."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


class Tolerance:
    """``members`` may all go in some round: none is of a group that can spare nobody."""

    def __init__(
        self,
        topology: Topology,
        members: Sequence[str],
        *,
        at_once: int | None = None,
        zones_apart: bool = False,
        reserve: int = RESERVE,
    ) -> None:
        self.members = tuple(members)
        self._numbers = {member: number for number, member in enumerate(self.members)}
        self.everyone = (1 << len(self.members)) - 1
        self.at_once = at_once or len(self.members)
        self.zones = self._zones(topology)
        self.pairs = [1 << number for number in range(len(self.members))]
        """By member: who cannot go together with it, itself among them."""
        self.counted: list[list[int]] = [[] for _ in self.members]
        """By member: its groups that give more than one, but not all."""
        self.bits: list[int] = []
        self.within: list[tuple[int, ...]] = []
        self.gives: list[int] = []
        """By counted group: its members as a set and one by one, and how many it gives."""
        for in_sync, spare in _tightest(topology, reserve).items():
            self._count_in(in_sync, spare)
        if zones_apart:
            self._keep_apart()

    def names(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The members that have these numbers."""
        return tuple(self.members[number] for number in numbers)

    def _zones(self, topology: Topology) -> dict[str, int]:
        zones: dict[str, int] = {}
        for number, member in enumerate(self.members):
            zone = topology.members[member].zone
            zones[zone] = zones.get(zone, 0) | 1 << number
        return zones

    def _count_in(self, in_sync: Collection[str], spare: int) -> None:
        numbers = [self._numbers[member] for member in in_sync if member in self._numbers]
        if len(numbers) <= spare:  # it can spare all that go
            return
        bits = 0
        for number in numbers:
            bits |= 1 << number
        if spare == 1:
            for number in numbers:
                self.pairs[number] |= bits
            return
        for number in numbers:
            self.counted[number].append(len(self.bits))
        self.bits.append(bits)
        self.within.append(tuple(numbers))
        self.gives.append(spare)

    def _keep_apart(self) -> None:
        for zone, bits in self.zones.items():
            others = self.everyone & ~bits if zone else self.everyone
            for number in members_in(bits):
                self.pairs[number] |= others


def _tightest(topology: Topology, reserve: int) -> dict[frozenset[str], int]:
    """By members in sync: the least that one of their groups gives. Groups that give nothing are
    left out, as their members are. Of seats only those count that nobody could take over."""
    found: dict[frozenset[str], int] = {}
    for group in topology.groups.values():
        spare = usable(group, reserve)
        counted = frozenset(
            one for one in group.in_sync if not group.seats or topology.costs(group, (one,))
        )
        if spare and spare < found.get(counted, spare + 1):
            found[counted] = spare
    return found


class Filling:
    """A round while it is filled."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.members: list[int] = []
        self.taken: dict[int, int] = {}
        """By counted group: how many it has given."""
        self.barred = 0
        """Who cannot join any more; those that have joined are among them."""

    def admits(self, number: int) -> bool:
        """Whether it may join."""
        return not self.barred >> number & 1

    def take(self, number: int) -> None:
        """It joins; the groups that it is of have one less to give."""
        tolerance, taken = self.tolerance, self.taken
        self.members.append(number)
        self.barred |= tolerance.pairs[number]
        for group in tolerance.counted[number]:
            given = taken[group] = taken.get(group, 0) + 1
            if given == tolerance.gives[group]:
                self.barred |= tolerance.bits[group]
        if len(self.members) == tolerance.at_once:
            self.barred = tolerance.everyone
