"""What is left out of many findings, and what never is."""

from __future__ import annotations

from dataclasses import replace

from gapless.clusters.causes import causes
from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id

NAMES = ("db1", "db2", "db3")


def _streams(count: int, *, down: str = "", behind: str = "", leader: str = "db1") -> Topology:
    """Raft groups of three members, of which one is down, and one is behind in all of them."""
    well = frozenset(NAMES) - {down, behind}
    groups = {
        f"s{number}": Group(f"s{number}", Kind.QUORUM, NAMES, leader, well, 2)
        for number in range(count)
    }
    members = [Member(one, one, trouble="does not answer" * (one == down)) for one in NAMES]
    return Topology(by_id(members), groups, asked=tuple(set(NAMES) - {down}))


def _told(topology: Topology, *stopping: str) -> list[str]:
    return [f"{one.code}: {one}" for one in causes(topology, refusals(topology, stopping))]


def test_of_a_member_that_is_down_its_consequences_are_told_once() -> None:
    assert _told(_streams(12, down="db2"), "db1") == [
        "member-in-trouble: db2: does not answer",
        "quorum-lost: s0, s1, s2, s3, s4 and 7 more: 1 of 3 would be left, and it needs 2",
    ]
    (_, lost) = causes(found := _streams(12, down="db2"), refusals(found, ("db1",)))
    assert lost.absolute and "s11" in lost.evidence, "nobody has to guess which"
    (_, lost) = causes(found := _streams(2, down="db2"), refusals(found, ("db1",)))
    assert (lost.where, lost.evidence) == ("s0, s1", "")


def test_of_one_group_that_several_tell_of_it_is_one() -> None:
    found = [Finding("disk-full", "s0", "its disk is full", evidence=one) for one in NAMES]
    (one,) = causes(_streams(1), found)
    assert (one.where, one.evidence) == ("s0", "db1\ndb2\ndb3")


def test_a_group_that_is_behind_for_another_reason_is_told() -> None:
    """Its own trouble, though a member is down."""
    told = _told(_streams(1, down="db2", behind="db3"), "db1")
    assert "not-in-sync: s0: 1 of 3 members are in sync; db2, db3 are not" in told
    assert _told(_streams(2, behind="db3"), "db3") == []
    assert _told(_streams(2, behind="db3"), "db2")[0] == (
        "not-in-sync: s0, s1: 2 of 3 members are in sync; db3 is not"
    )


def test_what_is_led_by_a_member_that_is_down_is_not_judged() -> None:
    told = _told(_streams(1, down="db2", behind="db3", leader="db2"), "db1")
    assert not any("not-in-sync" in one for one in told) and "member-in-trouble" in told[0]
    well = _streams(1, behind="db3")
    found = (*refusals(well, ("db2",)), Finding("route-missing", "db1", "no route", member="db1"))
    assert "not-in-sync" in {one.code for one in causes(well, found)}, "its leader is well"


def test_where_the_cause_is_not_told_the_consequence_is() -> None:
    """The member that is down is the one that is to be restarted: nobody says that it is down."""
    topology = _streams(1, down="db2", behind="db3")
    found = refusals(topology, ("db2",))
    assert causes(topology, found) == found and found
    assert causes(topology, refusals(replace(topology, groups={}), ("db2",))) == ()
