"""Which members may be restarted together."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from random import Random

import pytest

from gapless.clusters.colouring import colouring
from gapless.clusters.gates import refusals
from gapless.clusters.greedy import greedy
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.rounds import Rounds, rounds
from gapless.clusters.tolerance import Tolerance, usable
from gapless.clusters.topology import Topology, by_id
from tests.unit.clusters.placements import anywhere, assembled, drawn, spread

DRAWN = range(150)
SEEDS = range(5)
SPARED = "no group loses more than it can spare"


def group(name: str, members: str, minimum: int, in_sync: str | None = None) -> Group:
    """Members of one letter each; the first of those in sync leads."""
    synced = members if in_sync is None else in_sync
    return Group(name, Kind.REPLICAS, tuple(members), synced[:1], frozenset(synced), minimum)


def cluster(*groups: Group, zones: dict[str, str] | None = None) -> Topology:
    """All members that a group or a zone names."""
    zones = zones or {}
    names = sorted({*zones, *(member for one in groups for member in one.members)})
    members = by_id(Member(name, zone=zones.get(name, "")) for name in names)
    return Topology(members, {one.id: one for one in groups})


def plan(topology: Topology, at_once: int | None = None, **options: bool | int) -> Rounds:
    """Of all its members."""
    return rounds(topology, topology.members, at_once=at_once, **options)  # type: ignore[arg-type]


def tolerated(topology: Topology, reserve: int = 1) -> Tolerance:
    """All its members as they are named."""
    return Tolerance(topology, tuple(topology.members), reserve=reserve)


def coloured(topology: Topology, reserve: int = 1) -> list[list[int]]:
    tolerance = tolerated(topology, reserve)
    return colouring(tolerance, tolerance.everyone)


def texts(planned: Rounds) -> list[str]:
    return ["".join(one.members) for one in planned.each]


@pytest.mark.parametrize(
    ("members", "in_sync", "minimum", "reserve", "expected"),
    [
        ("abc", "abc", 3, 1, 0),  # never safe
        ("abc", "ab", 2, 1, 0),
        ("abc", "a", 2, 1, 0),
        ("ab", "abc", 2, 1, 0),  # one more in sync than it has members
        ("abc", "abc", 2, 1, 1),
        ("abc", "abc", 2, 3, 1),  # one it always gives
        ("abcd", "abcd", 2, 1, 1),
        ("abcd", "abcd", 2, 0, 2),
        ("abcde", "abcde", 2, 1, 2),
        ("abcde", "abcde", 2, 2, 1),
        ("abcde", "abcd", 2, 1, 1),
    ],
)
def test_what_a_group_can_spare(
    members: str, in_sync: str, minimum: int, reserve: int, expected: int
) -> None:
    assert usable(group("g", members, minimum, in_sync), reserve) == expected


def test_a_raft_group_goes_one_by_one() -> None:
    assert texts(plan(cluster(group("g", "abc", 2)))) == ["b", "c", "a"]


def test_members_that_share_no_group_go_together() -> None:
    assert texts(plan(cluster(group("g", "abc", 2), group("h", "def", 2)))) == ["be", "cf", "ad"]


def test_a_group_of_five_keeps_one_in_reserve_or_not() -> None:
    five = cluster(group("g", "abcde", 3))
    assert len(plan(five).each) == 5
    assert texts(plan(five, reserve=0)) == ["bc", "de", "a"]


def test_three_that_are_no_pairs_cannot_go_all() -> None:
    """A group is no set of pairs: any two of four may go, three may not."""
    four = cluster(group("g", "abcd", 2), zones=dict.fromkeys("abcd", "z"))
    planned = plan(four, reserve=0)
    assert sorted(len(one.members) for one in planned.each) == [2, 2]


def test_who_is_out_of_sync_costs_the_group_nothing() -> None:
    lags = cluster(group("g", "abcd", 2, in_sync="abc"))
    assert texts(plan(lags)) == ["bd", "c", "a"]


def test_members_that_cannot_be_spared_are_in_no_round() -> None:
    topology = cluster(
        group("zero", "a", 1),
        group("short", "abc", 2, in_sync="ab"),
        group("sound", "cde", 2),
    )
    planned = plan(topology)
    assert texts(planned) == ["d", "e", "c"]
    held = {one.member: one for one in planned.held}
    assert str(held["a"]) == "a: zero has 1 in all and needs 1, and 1 more"
    assert held["a"].never
    assert str(held["b"]) == "b: short has 2 in sync and needs 2"
    assert not held["b"].never
    assert set(held) == {"a", "b"}


def test_only_members_that_are_to_go_are_planned() -> None:
    topology = cluster(group("g", "abcd", 2))
    assert [one.members for one in rounds(topology, "cbc", at_once=None).each] == [("b",), ("c",)]
    assert rounds(topology, (), at_once=None) == Rounds()


def test_what_is_asked_for_has_to_make_sense() -> None:
    topology = cluster(group("g", "abc", 2))
    with pytest.raises(ValueError, match="at_once is 0"):
        plan(topology, at_once=0)
    with pytest.raises(ValueError, match="reserve is -1"):
        plan(topology, reserve=-1)
    with pytest.raises(KeyError, match="x"):
        rounds(topology, "x", at_once=1)


def test_who_has_a_singleton_goes_last_though_it_might_go_earlier() -> None:
    topology = cluster(group("g", "abc", 2), group("h", "def", 2))
    alone = dataclasses.replace(topology, singletons={"controller": "b"})
    planned = plan(alone)
    assert "b" in planned.each[-1].members
    assert len(planned.each) == 3
    one_by_one = plan(alone, at_once=1)
    assert texts(one_by_one) == ["c", "e", "f", "a", "d", "b"]


def test_rounds_that_lead_least_go_first() -> None:
    groups = [group("g", "abc", 2), group("h", "abc", 2), group("i", "bac", 2)]
    assert texts(plan(cluster(*groups))) == ["c", "b", "a"]


def test_those_in_trouble_go_first_where_that_is_the_point() -> None:
    topology = cluster(group("g", "abc", 2))
    members = {**topology.members, "a": Member("a", trouble="lags")}
    sick = dataclasses.replace(topology, members=members)
    assert texts(plan(sick)) == ["b", "c", "a"]
    assert texts(plan(sick, repair=True)) == ["a", "b", "c"]


def test_a_cap() -> None:
    topology = cluster(zones=dict.fromkeys("abcdefg", "z"))
    assert texts(plan(topology)) == ["abcdefg"]
    planned = plan(topology, at_once=3)
    assert texts(planned) == ["abc", "def", "g"]
    assert planned.each[0].wait == "at most 3 at once"


def test_zones_apart_and_who_is_in_no_known_zone_goes_alone() -> None:
    zones = {"a": "x", "b": "y", "c": "x", "d": "", "e": ""}
    planned = plan(cluster(zones=zones), zones_apart=True)
    assert sorted(texts(planned)) == ["ac", "b", "d", "e"]
    assert texts(plan(cluster(zones=zones))) == ["abcde"]


def test_reasons() -> None:
    zones = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y"}
    topology = cluster(group("g", "ac", 1), group("h", "bd", 1), group("i", "eab", 1), zones=zones)
    planned = plan(topology, reserve=0, zones_apart=True)
    assert [(one.why, one.wait) for one in planned.each] == [
        (f"all in y; {SPARED}", "a waits: g can spare 1, and c is of it"),
        (f"all in x; {SPARED}", ""),
    ]
    crowd = plan(cluster(group("g", "abcd", 2)), reserve=0)
    assert crowd.each[0].wait == "d waits: g can spare 2, and b and c are of it"
    last = dataclasses.replace(topology, groups={}, singletons={"leader": "a"})
    assert [one.wait for one in plan(last, at_once=4).each] == ["at most 4 at once", ""]
    apart = plan(dataclasses.replace(topology, groups={}), zones_apart=True)
    assert [one.wait for one in apart.each] == ["one zone at a time", ""]


@pytest.mark.parametrize(
    ("copies", "minimum", "reserve", "clean", "amiss", "random"),
    [(3, 2, 1, 3, 6, 50), (4, 2, 0, 2, 3, 11), (4, 2, 1, 4, 9, 60), (5, 3, 0, 3, 4, 15),
     (5, 3, 1, 5, 10, 60)],
)  # fmt: skip
def test_sixty_members_and_three_thousand_groups(
    copies: int, minimum: int, reserve: int, clean: int, amiss: int, random: int
) -> None:
    sizes = (60, 3000, copies, minimum)
    found = (
        len(plan(spread(*sizes), reserve=reserve).each),
        min(len(plan(spread(*sizes, amiss=0.01, seed=n), reserve=reserve).each) for n in SEEDS),
        min(len(plan(anywhere(*sizes, seed=n), reserve=reserve).each) for n in SEEDS),
    )
    assert all(got <= most for got, most in zip(found, (clean, amiss, random), strict=True)), found


def test_colours_of_a_ring_of_five_and_of_two_sides() -> None:
    """Colouring needs no more than two where two are enough; the first that fits
    needs eight."""
    ring = assembled(5, [[n, (n + 1) % 5] for n in range(5)], 1, zones=1)
    assert len(coloured(ring)) == 3
    sides = [[a, b] for a in range(0, 16, 2) for b in range(1, 16, 2) if b != a + 1]
    crown = assembled(16, sides, 1, zones=16)
    assert len(coloured(crown)) == 2


def test_greed_begins_with_a_zone() -> None:
    """Few groups: most members share none, and rounds that take them as they come never meet the
    three zones."""
    for seed in range(5):
        assert len(greedy(tolerated(spread(200, 300, 3, 2, seed=seed)))) == 3


def test_greed_takes_those_that_bar_the_fewest() -> None:
    found = [len(greedy(tolerated(anywhere(60, 3000, 4, 2, seed=n), reserve=0))) for n in SEEDS]
    assert sum(found) < 12 * len(found), "who takes them as they come needs twelve each"


def test_no_more_rounds_than_either_way_alone() -> None:
    better = set()
    for seed in range(40):
        for topology, reserve in (
            (anywhere(40, 120, 3, 2, seed=seed), 1),
            (anywhere(40, 400, 5, 3, seed=seed), 0),
        ):
            going = plan(topology, at_once=1).members
            tolerance = Tolerance(topology, going, reserve=reserve)
            by_greed = len(greedy(tolerance))
            by_colour = len(colouring(tolerance, tolerance.everyone))
            assert len(plan(topology, reserve=reserve).each) <= min(by_greed, by_colour)
            better.add((by_greed > by_colour) - (by_greed < by_colour))
    assert better == {-1, 0, 1}


def test_zone_after_zone_where_that_is_better() -> None:
    """Of many members two in different zones often share no group. Rounds that mix zones are
    possible then, and leave more of them."""
    topology = spread(300, 9000, 3, 2, amiss=0.01, seed=2)
    tolerance = Tolerance(topology, plan(topology, at_once=1).members)
    assert len(greedy(tolerance)) > 6
    assert len(colouring(tolerance, tolerance.everyone)) > 6
    assert len(plan(topology).each) == 6


@pytest.mark.parametrize("zones_apart", [False, True])
@pytest.mark.parametrize("at_once", [None, 1, 3])
def test_rounds_are_safe_and_as_full_as_can_be(at_once: int | None, zones_apart: bool) -> None:
    for seed in DRAWN:
        topology = drawn(seed, members=25, groups=50)
        reserve = seed % 3
        planned = plan(topology, at_once, zones_apart=zones_apart, reserve=reserve)
        held = [one.member for one in planned.held]
        assert sorted((*planned.members, *held)) == sorted(topology.members)
        bounds = _Bounds(topology, at_once, zones_apart, reserve)
        last = frozenset(topology.singletons.values())
        for number, one in enumerate(planned.each):
            assert bounds.admit(one.members), (seed, one)
            assert one.wait or number == len(planned.each) - 1
            for later in planned.each[number + 1 :]:
                for member in (member for member in later.members if member not in last):
                    assert not bounds.admit((*one.members, member)), (seed, one, member)
            if not last.isdisjoint(one.members):
                assert number == len(planned.each) - 1
        assert not any(bounds.admit((member,)) for member in held)


class _Bounds:
    """What a round has to heed, group by group."""

    def __init__(
        self, topology: Topology, at_once: int | None, zones_apart: bool, reserve: int
    ) -> None:
        self._topology = topology
        self._at_once = at_once or len(topology.members)
        self._zones_apart = zones_apart
        self._reserve = reserve

    def admit(self, members: Collection[str]) -> bool:
        zones = [self._topology.members[member].zone for member in members]
        apart = self._zones_apart and len(members) > 1
        if len(members) > self._at_once or (apart and (len(set(zones)) > 1 or not zones[0])):
            return False
        return all(self._bears(group, members) for group in self._topology.groups.values())

    def _bears(self, group: Group, members: Collection[str]) -> bool:
        lost = len(group.in_sync.intersection(members))
        if not lost:
            return True
        left = len(group.in_sync) - lost - group.minimum
        never = len(group.members) <= group.minimum
        return not never and left >= min(self._reserve, group.slack - 1) and left >= 0


def test_the_same_facts_give_the_same_rounds() -> None:
    for seed in DRAWN:
        topology = drawn(seed, members=25, groups=50)
        names, groups = [*topology.members], [*topology.groups.items()]
        Random(seed).shuffle(names)
        Random(seed).shuffle(groups)
        shuffled = dataclasses.replace(
            topology,
            members={name: topology.members[name] for name in names},
            groups=dict(groups),
        )
        found = rounds(shuffled, names, at_once=None)
        assert found == plan(topology)


def test_a_seat_that_goes_with_what_is_handed_over_keeps_nobody_apart() -> None:
    """Three shards of a master and a replica: the replicas, and then those that were masters."""
    shards = {
        f"s{n}": Group(
            f"s{n}", Kind.PRIMARY, (f"m{n}", f"r{n}"), f"m{n}", frozenset((f"m{n}", f"r{n}")), 1
        )
        for n in (1, 2, 3)
    }
    masters = ("m1", "m2", "m3")
    seats = Group(
        "masters",
        Kind.QUORUM,
        masters,
        "",
        frozenset(masters),
        2,
        movable=False,
        led=False,
        seats=True,
    )
    names = (*masters, "r1", "r2", "r3")
    members = by_id(Member(name, host=name) for name in names)
    whole = Topology(members, {**shards, "masters": seats}, asked=names)
    planned = rounds(whole, names, at_once=3)
    assert [one.members for one in planned.each] == [("r1", "r2", "r3"), masters]
    assert refusals(whole, masters) == ()


def test_a_seat_that_nobody_can_take_over_counts() -> None:
    """m1 has no replica in sync."""
    held = frozenset(("m1",))
    shard = Group("s1", Kind.PRIMARY, ("m1", "r1"), "m1", held, 1)
    masters = ("m1", "m2", "m3")
    seats = Group(
        "masters",
        Kind.QUORUM,
        masters,
        "",
        frozenset(("m1", "m2")),
        2,
        movable=False,
        led=False,
        seats=True,
    )
    members = by_id(Member(name, host=name) for name in (*masters, "r1"))
    whole = Topology(members, {"s1": shard, "masters": seats}, asked=masters)
    assert whole.costs(seats, ("m1",)) == held
    assert whole.costs(seats, ("m2",)) == frozenset()
    assert "quorum-lost" in {one.code for one in refusals(whole, ("m1",))}


def test_who_waits_is_called_by_the_host_and_by_the_id_where_that_is_another_word() -> None:
    members = by_id((Member("1", host="node1"), Member("node2", host="node2"), Member("3")))
    group = Group("g", Kind.REPLICAS, ("1", "node2", "3"), "", frozenset(("1", "node2", "3")), 2)
    planned = rounds(Topology(members, {"g": group}, asked=tuple(members)), members, at_once=2)
    assert [one.wait for one in planned.each] == [
        "3 waits: g can spare 1, and node1 (1) is of it",
        "node2 waits: g can spare 1, and 3 is of it",
        "",
    ]
