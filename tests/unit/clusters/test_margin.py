"""How much more a cluster bears, in words."""

from __future__ import annotations

from gapless.clusters.group import Group, Kind
from gapless.clusters.margin import least, margin
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id

NAMES = ("a", "b", "c", "d", "e")


def topology(*groups: Group) -> Topology:
    members = by_id(Member(name, host=f"h-{name}") for name in NAMES)
    return Topology(members, {group.id: group for group in groups}, asked=NAMES)


def group(name: str, in_sync: str, *, of: int = 5, leader: str = "a") -> Group:
    return Group(name, Kind.QUORUM, NAMES[:of], leader, frozenset(in_sync), of // 2 + 1)


def test_the_one_that_bears_least_comes_first_with_who_is_missing() -> None:
    now = topology(group("g1", "abcde"), group("g2", "abc"), group("g3", "ab", of=3))
    assert least(now) == 0
    assert margin(now) == (
        "g2: 3 of 5 in sync, 3 needed; one more failure and it stands still; not in sync: h-d (d), "
        "h-e (e)",
        "g3: 2 of 3 in sync, 2 needed; one more failure and it stands still; not in sync: h-c (c)",
        "g1: 5 of 5 in sync, 3 needed; 2 more may fail",
    )


def test_what_stands_still_and_what_nobody_leads() -> None:
    now = topology(group("g1", "a", of=3, leader=""))
    assert least(now) == -1
    assert margin(now) == (
        "g1: nobody leads it",
        "g1: 1 of 3 in sync, 2 needed; it stands still; not in sync: h-b (b), h-c (c)",
    )


def test_the_rest_is_counted() -> None:
    now = topology(*(group(f"g{n}", "abcde") for n in range(1, 12)))
    lines = margin(now)
    assert [line.partition(":")[0] for line in lines[:3]] == ["g1", "g2", "g3"]
    assert lines[3] == "and 8 more like these or better"


def test_without_groups_there_is_nothing_to_say() -> None:
    assert least(topology()) is None
    assert margin(topology()) == ()
