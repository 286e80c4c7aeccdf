"""Rounds as colours of a graph in which an edge joins two members that cannot go together: DSATUR.

1. The member goes next that has the fewest rounds left to go to; of several the one with most
   edges.
2. It goes to the first round that admits it, or to a new one.

Edges are the pairs that share a group with one to give. Groups with more to give are no edges, but
they close rounds to their other members as they fill up, and that counts as well.
"""

from __future__ import annotations

from gapless.clusters.tolerance import Filling, Tolerance, members_in


def colouring(tolerance: Tolerance, among: int) -> list[list[int]]:
    """The members of a set by round, as numbers."""
    rounds: list[Filling] = []
    edges = [(pairs & among).bit_count() for pairs in tolerance.pairs]
    closed = [0] * len(edges)  # by member: how many rounds do not admit it
    left = dict.fromkeys(members_in(among))
    while left:
        number = max(left, key=lambda one: (closed[one], edges[one]))
        del left[number]
        for other in members_in(_join(tolerance, rounds, number) & among):
            closed[other] += 1
    return [filling.members for filling in rounds]


def _join(tolerance: Tolerance, rounds: list[Filling], number: int) -> int:
    """Puts it into a round; those to whom that round has closed by it."""
    filling = next((one for one in rounds if one.admits(number)), None)
    if filling is None:
        filling = Filling(tolerance)
        rounds.append(filling)
    before = filling.barred
    filling.take(number)
    return filling.barred & ~before
