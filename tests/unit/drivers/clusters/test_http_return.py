"""A member of a cluster over HTTP that is back, or not yet."""

from __future__ import annotations

from dataclasses import replace

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.http_return import left_to_catch_up, missing


def group(name: str, *members: str, **position: int) -> Group:
    return Group(name, Kind.QUORUM, members, members[0], frozenset(members), 2, position)


def topology(began: str, *groups: Group) -> Topology:
    members = by_id(Member(one, host=f"host-{one}", began=began) for one in "abcd")
    return Topology(members, {one.id: one for one in groups}, asked=tuple("abcd"))


BEFORE = topology("1", group("g", "a", "b", "c", a=9, b=9, c=9), group("h", "b", "c", "d", b=70))


def test_a_group_that_it_was_never_in_is_none_of_its() -> None:
    now = topology("2", *BEFORE.groups.values())
    assert missing(now, BEFORE, "a") == "" and left_to_catch_up(now, BEFORE, "a") == 0
    assert missing(now, BEFORE, "d") == "" and left_to_catch_up(now, BEFORE, "d") == 70


def test_what_it_was_in_it_has_to_be_in_sync_in() -> None:
    behind = replace(BEFORE.groups["g"], in_sync=frozenset("bc"), position={"b": 9, "a": 4})
    now = topology("2", behind, BEFORE.groups["h"])
    assert missing(now, BEFORE, "a") == "g: a is not in sync"
    assert left_to_catch_up(now, BEFORE, "a") == 5
    assert missing(topology("2", BEFORE.groups["h"]), BEFORE, "a") == "g: a is not in sync"


def test_another_process_on_the_same_host() -> None:
    assert missing(BEFORE, BEFORE, "a") == "it is the process from before"
    assert missing(BEFORE, BEFORE, "x") == "x is no member"
    now = topology("2", *BEFORE.groups.values())
    moved = {**now.members, "a": replace(now.members["a"], host="host-z")}
    assert "runs on host-z now, and ran on host-a" in missing(
        replace(now, members=moved), BEFORE, "a"
    )
    down = {**now.members, "a": replace(now.members["a"], trouble="does not answer")}
    assert missing(replace(now, members=down), BEFORE, "a") == "a does not answer"
