"""Whole rolls of random clusters in rounds, members failing between rounds: no round takes a group
below its minimum.

After each round the members are back and in sync, some others have failed or recovered, and the
rounds are computed again from what is there.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable
from random import Random

import pytest

from gapless.clusters.group import Group
from gapless.clusters.rounds import rounds
from gapless.clusters.topology import Topology
from tests.unit.clusters.placements import drawn

pytestmark = pytest.mark.sim

LARGE = (1000, 100_000)
MIDDLING = (200, 4000)
SMALL = (24, 40)
ROUNDS = {LARGE: 2, MIDDLING: 4, SMALL: 100}
"""How many are played, by most members and groups: of small ones as many as they need."""


@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_no_round_takes_a_group_below_its_minimum(first: int) -> None:
    found = []
    for seed in range(first, first + 250):
        found += [f"seed {seed}: {text}" for text in _breaches(seed)]
    assert not found, "\n".join(found[:10])


class _Cluster:
    """Groups of which members drop out and come back."""

    def __init__(self, topology: Topology) -> None:
        self.groups = dict(topology.groups)
        self.topology = dataclasses.replace(topology, groups=self.groups)
        self.failed: set[str] = set()
        self._in_sync = {name: group.in_sync for name, group in topology.groups.items()}
        self._of: dict[str, list[str]] = defaultdict(list)
        for name, group in topology.groups.items():
            for member in group.in_sync:
                self._of[member].append(name)

    def fail(self, member: str) -> None:
        self.failed.add(member)
        self._tell(member)

    def recover(self, member: str) -> None:
        self.failed.discard(member)
        self._tell(member)

    def _tell(self, member: str) -> None:
        for name in self._of[member]:
            in_sync = self._in_sync[name] - self.failed
            self.groups[name] = dataclasses.replace(self.groups[name], in_sync=in_sync)

    def harmed(self, members: Iterable[str], reserve: int) -> list[str]:
        """Groups that these cannot go from together, with what would be left."""
        going = [one for one in members if one not in self.failed]
        lost = Counter(name for member in going for name in self._of[member])
        return [
            f"{name} {len(self.groups[name].in_sync)} in sync, less {many}"
            for name, many in lost.items()
            if not _bears(self.groups[name], many, reserve)
        ]


def _bears(group: Group, lost: int, reserve: int) -> bool:
    left = len(group.in_sync) - lost - group.minimum
    return left >= 0 and (lost == 1 or left >= reserve)


def _breaches(seed: int) -> list[str]:
    random = Random(seed)
    size = LARGE if seed % 500 == 0 else MIDDLING if seed % 100 == 50 else SMALL
    members, groups = size
    cluster = _Cluster(drawn(seed, members=members, groups=groups, exactly=size != SMALL))
    at_once = random.choice((None, None, 1, 2, 5))
    zones_apart, reserve = random.random() < 0.3, random.choice((0, 1, 1, 2))
    left = set(cluster.topology.members)
    found: list[str] = []
    for _ in range(ROUNDS[size]):
        planned = rounds(
            cluster.topology, left, at_once=at_once, zones_apart=zones_apart, reserve=reserve
        )
        if not planned.each and not cluster.failed:  # all have gone that ever can
            held = {one.member for one in planned.held}
            return found if held == left else [*found, f"left without a reason: {left - held}"]
        for one in planned.each[:1]:
            found += cluster.harmed(one.members, reserve)
            left.difference_update(one.members)
            for member in cluster.failed.intersection(one.members):
                cluster.recover(member)
        _time_passes(cluster, random, calm=not planned.each)
    return [*found, "the roll never ends"] if size == SMALL else found


def _time_passes(cluster: _Cluster, random: Random, *, calm: bool) -> None:
    """Those that have failed recover at some time; without rounds to play, at once."""
    for member in sorted(cluster.failed):
        if calm or random.random() < 0.4:
            cluster.recover(member)
    names = [*cluster.topology.members]
    for member in random.sample(names, min(len(names), random.choice((0, 0, 0, 1, 2)))):
        if not calm:
            cluster.fail(member)
