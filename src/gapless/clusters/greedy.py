"""Rounds one after another, each filled as far as it goes.

1. A round begins in the zone that has most members left: where replicas are spread over zones, the
   members of one zone share few groups.
2. Of those that may still join, the one joins that bars the fewest others: a group that can spare
   several bars nobody until it has one left to give.
3. When nobody of that zone may join any more, those of other zones do.
"""

from __future__ import annotations

from gapless.clusters.tolerance import Filling, Tolerance, members_in


def greedy(tolerance: Tolerance) -> list[list[int]]:
    """Members by round, as numbers."""
    rounds = []
    left = tolerance.everyone
    while left:
        members = _fill(tolerance, left)
        for number in members:
            left ^= 1 << number
        rounds.append(members)
    return rounds


def _fill(tolerance: Tolerance, left: int) -> list[int]:
    filling = _Weighed(tolerance)
    largest = max(tolerance.zones.values(), key=lambda zone: (zone & left).bit_count())
    for pool in (largest & left, left):
        while free := pool & ~filling.barred:
            filling.take(filling.least_in_the_way(free, left & ~filling.barred))
    return filling.members


class _Weighed(Filling):
    """A round that knows of each member whom it would bar."""

    def __init__(self, tolerance: Tolerance) -> None:
        super().__init__(tolerance)
        self._bars = list(tolerance.pairs)

    def take(self, number: int) -> None:
        """Groups that have one left to give make pairs from then on."""
        super().take(number)
        tolerance, taken, bars = self.tolerance, self.taken, self._bars
        for group in tolerance.counted[number]:
            if taken[group] == tolerance.gives[group] - 1:
                bits = tolerance.bits[group]
                for other in tolerance.within[group]:
                    bars[other] |= bits

    def least_in_the_way(self, free: int, others: int) -> int:
        """Of the free the one that bars the fewest others; the first where several bar as few."""
        bars = self._bars
        return min(members_in(free), key=lambda number: (bars[number] & others).bit_count())
