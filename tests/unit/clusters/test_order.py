"""Followers first: which member when, and how many leaderships move in a whole roll."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.order import Order, natural, targets, wanted
from gapless.clusters.topology import Topology
from tests.unit.clusters.placements import anywhere, assembled, drawn, spread


def led(*pairs: tuple[str, str], singletons: dict[str, str] | None = None) -> Topology:
    """A group for each pair of members, with one letter a member, and leader."""
    names = sorted({member for members, _ in pairs for member in members})
    groups = [
        Group(f"g{number}", Kind.QUORUM, tuple(members), leader, frozenset(members), 1)
        for number, (members, leader) in enumerate(pairs, 1)
    ]
    members = {name: Member(name) for name in names}
    return Topology(members, {one.id: one for one in groups}, singletons=singletons or {})


def test_numbers_in_ids_are_numbers() -> None:
    ids = ["n10", "n2", "n1", "n02", "10", "9", "a-2-b", "a-10-a", "a", ""]
    backwards = ids[::-1]
    expected = ["", "9", "10", "a", "a-2-b", "a-10-a", "n1", "n02", "n2", "n10"]
    assert sorted(ids, key=natural) == expected
    assert sorted(backwards, key=natural) == expected


def test_those_that_lead_as_few_go_by_their_numbers() -> None:
    order = Order(assembled(11, [], 1, zones=1))
    assert order.of_members(["n10", "n9", "n0"]) == ("n0", "n9", "n10")
    assert order.of_rounds([["n10"], ["n9", "n0"], ["n2"]]) == (("n0", "n9"), ("n2",), ("n10",))


def test_those_that_lead_fewest_go_first() -> None:
    topology = led(("abc", "a"), ("abc", "a"), ("abc", "b"))
    assert Order(topology).of_members("abca") == ("c", "b", "a")


def test_who_has_a_singleton_goes_last() -> None:
    topology = led(("abc", "a"), ("abc", "a"), singletons={"controller": "c", "meta": "b"})
    assert Order(topology).of_members("abc") == ("a", "b", "c")
    assert Order(topology).of_rounds(["ca", "b"]) == (("b",), ("a", "c"))


def test_those_in_trouble_go_first_only_to_be_repaired() -> None:
    topology = led(("abc", "a"), ("abc", "a"))
    members = {**topology.members, "a": Member("a", trouble="lags")}
    sick = dataclasses.replace(topology, members=members)
    assert Order(sick).of_members("abc") == ("b", "c", "a")
    assert Order(sick, repair=True).of_members("abc") == ("a", "b", "c")
    assert Order(sick, repair=True).of_rounds(["c", "ab"]) == (("a", "b"), ("c",))
    singled_out = dataclasses.replace(sick, singletons={"controller": "a"})
    assert Order(singled_out, repair=True).of_members("abc") == ("b", "c", "a")


def test_rounds_go_by_all_that_they_lead() -> None:
    topology = led(("abcd", "a"), ("abcd", "a"), ("abcd", "b"), ("abcd", "c"), ("abcd", "c"))
    assert Order(topology).of_rounds(["cb", "da"]) == (("d", "a"), ("b", "c"))
    assert Order(topology).of_rounds(["d", "c", "a", "b"]) == (("d",), ("b",), ("a",), ("c",))


def test_a_member_that_nobody_knows() -> None:
    with pytest.raises(KeyError, match="x"):
        Order(led(("abc", "a"))).of_members("ax")


def test_leaderships_go_to_those_that_are_done_then_to_who_has_got_furthest() -> None:
    topology = led(("abcd", "a"))
    furthest = dataclasses.replace(topology.groups["g1"], position={"a": 9, "b": 5, "c": 7, "d": 7})
    at = dataclasses.replace(topology, groups={"g1": furthest})
    assert targets(at, "a", ()) == {"g1": "c"}
    assert targets(at, "a", ("b",)) == {"g1": "b"}
    assert targets(at, "a", ("b", "d")) == {"g1": "d"}
    assert targets(at, "a", ("d",), leaving=("a", "d")) == {"g1": "c"}
    assert targets(at, "b", ()) == {}


def test_leaders_spread() -> None:
    topology = led(*[("abcd", "a")] * 6, ("abcd", "b"))
    assert [*targets(topology, "a", ()).values()] == ["c", "d", "b", "c", "d", "b"]


def test_one_group_alone_may_go_to_all_that_are_as_good() -> None:
    one = led(("abcd", "a"))
    assert wanted(one, "a", {"c", "d"}) == ("c", "d")
    assert wanted(one, "a", set()) == ("b", "c", "d")
    ahead = dataclasses.replace(one.groups["g1"], position={"b": 9, "c": 5, "d": 7})
    assert wanted(dataclasses.replace(one, groups={"g1": ahead}), "a", set()) == ("b", "d", "c")
    assert wanted(one, "b", set()) == ()


def test_several_groups_have_each_their_own() -> None:
    assert sorted(wanted(led(("abc", "a"), ("abc", "a")), "a", {"b", "c"})) == ["b", "c"]


def test_groups_that_have_nowhere_to_go() -> None:
    topology = led(("abc", "a"), ("abc", "a"), ("abc", "a"))
    groups = dict(topology.groups)
    groups["g1"] = dataclasses.replace(groups["g1"], in_sync=frozenset("a"))
    groups["g2"] = dataclasses.replace(groups["g2"], movable=False)
    groups["g3"] = dataclasses.replace(groups["g3"], in_sync=frozenset("ac"))
    assert targets(dataclasses.replace(topology, groups=groups), "a", ("b",)) == {"g3": "c"}


def roll(topology: Topology) -> int:
    """Every member one by one, in order, all in sync again after each; how many moves."""
    groups = dict(topology.groups)
    moved = 0
    done: list[str] = []
    for member in Order(topology).of_members(topology.members):
        moves = targets(Topology(topology.members, groups), member, done)
        for name, target in moves.items():
            groups[name] = dataclasses.replace(groups[name], leader=target)
        assert all(group.leader != member for group in groups.values())
        moved += len(moves)
        done.append(member)
    return moved


def led_by_their_first(topology: Topology) -> int:
    """Groups whose leader is restarted before all their other members."""
    when = {one: n for n, one in enumerate(Order(topology).of_members(topology.members))}
    return sum(
        group.leader == min(group.members, key=when.__getitem__)
        for group in topology.groups.values()
    )


def test_three_members_that_lead_one_group_each_need_four_moves() -> None:
    assert roll(led(("abc", "a"), ("abc", "b"), ("abc", "c"))) == 4


@pytest.mark.parametrize("seed", range(60))
def test_moves_of_a_roll_where_every_group_is_on_all(seed: int) -> None:
    """All groups once, those that the first member leads once more."""
    random = Random(seed)
    members = random.randint(2, 9)
    held = [random.sample(range(members), members) for _ in range(random.randint(1, 60))]
    topology = assembled(members, held, 1, zones=1)
    first = Order(topology).of_members(topology.members)[0]
    assert roll(topology) <= len(held) + len(topology.led_by(first))


@pytest.mark.parametrize("seed", range(60))
def test_moves_of_a_roll_where_groups_are_on_some(seed: int) -> None:
    """All groups once, and once more those that are led by the first of their own to go."""
    random = Random(seed)
    make = random.choice((spread, anywhere))
    copies = random.randint(2, 5)
    topology = make(random.randint(2 * copies, 24), random.randint(1, 60), copies, 1, seed=seed)
    assert roll(topology) == len(topology.groups) + led_by_their_first(topology)


def test_two_groups_that_share_nobody_need_a_first_each() -> None:
    """So all groups, and those of the very first member, are not always enough."""
    topology = led(*[("abc", one) for one in "abc"], *[("def", one) for one in "def"])
    assert roll(topology) == 6 + 2


def test_the_order_is_the_same_again() -> None:
    for seed in range(100):
        topology = drawn(seed, members=30, groups=60)
        names = [*topology.members]
        expected = Order(topology).of_members(names)
        Random(seed).shuffle(names)
        assert Order(topology).of_members(names) == expected
        assert sorted(expected) == sorted(names)
