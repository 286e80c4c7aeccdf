"""Each state that is not safe is refused by a finding of its own, with its number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id


def _raft(voters: int, *, down: tuple[int, ...] = (), leader: int = 1) -> Topology:
    """Members 1 to N of one raft group; those that are down are in trouble and not in sync."""
    ids = [str(number) for number in range(1, voters + 1)]
    gone = {str(number) for number in down}
    members = [
        Member(one, host=f"db{one}", trouble="it does not answer" if one in gone else "")
        for one in ids
    ]
    group = Group(
        "raft",
        Kind.QUORUM,
        tuple(ids),
        str(leader) if leader else "",
        frozenset(ids) - gone,
        majority(voters),
        {one: 100 for one in ids if one not in gone},
    )
    return Topology(
        by_id(members), {"raft": group}, asked=tuple(one for one in ids if one not in gone)
    )


def _partition(topology: Topology, **changed: object) -> Topology:
    """With one partition of three replicas, of which two have to be in sync."""
    ids = tuple(topology.members)[:3]
    group = Group("orders-0", Kind.REPLICAS, ids, ids[0], frozenset(ids), 2)
    return replace(topology, groups={"orders-0": replace(group, **changed)})


def _codes(topology: Topology, *stopping: str) -> list[str]:
    return [finding.code for finding in refusals(topology, stopping)]


@pytest.mark.parametrize("voters", [3, 4, 5, 7])
def test_one_of_a_healthy_cluster_may_be_stopped(voters: int) -> None:
    assert _codes(_raft(voters), "2") == []


def test_two_of_five_would_leave_no_member_in_hand() -> None:
    (finding,) = refusals(_raft(5), ("2", "3"))
    assert (finding.code, finding.absolute) == ("no-reserve", False)
    assert finding.what.startswith("3 of 5 would be left")
    assert refusals(_raft(5), ("2", "3"), reserve=0) == ()


def test_without_a_reserve_the_minimum_still_holds() -> None:
    (finding,) = refusals(_raft(5), ("2", "3", "4"), reserve=0)
    assert (finding.code, finding.absolute) == ("quorum-lost", True)


@pytest.mark.parametrize(("voters", "stopping"), [(3, "23"), (5, "234"), (4, "23")])
def test_a_quorum_is_never_given_up(voters: int, stopping: str) -> None:
    (finding,) = refusals(_raft(voters), tuple(stopping))
    assert (finding.code, finding.absolute) == ("quorum-lost", True)
    needs = majority(voters)
    assert finding.what.endswith(f"{voters - len(stopping)} of {voters} would be left, "
                                 f"and it needs {needs}")  # fmt: skip


def test_a_cluster_of_two_stands_still_while_one_is_down() -> None:
    (finding,) = refusals(_raft(2), ("2",))
    assert (finding.code, finding.absolute) == ("too-few-voters", False)


def test_with_a_member_down_no_other_is_touched() -> None:
    found = refusals(_raft(5, down=(4,)), ("2",))
    assert [one.code for one in found] == ["member-in-trouble", "not-in-sync", "no-reserve"]
    assert (found[0].where, found[0].what) == ("db4 (4)", "it does not answer")
    assert found[0].next.endswith("--hosts db4")
    assert found[1].what == "4 of 5 members are in sync; db4 (4) is not"


def test_the_member_in_trouble_itself_may_be_restarted() -> None:
    assert _codes(_raft(5, down=(4,)), "4") == []
    assert _codes(_raft(3, down=(3,)), "3") == []


def test_in_a_cluster_of_three_with_one_down_another_one_would_end_the_quorum() -> None:
    found = refusals(_raft(3, down=(3,)), ("2",))
    assert [one.code for one in found if one.absolute] == ["quorum-lost"]


def test_a_group_without_a_leader() -> None:
    assert _codes(_raft(3, leader=0), "2") == ["no-leader"]


def test_a_group_of_which_no_member_is_known() -> None:
    shop = Group("shop", Kind.PRIMARY, (), "", frozenset(), 1)
    found = refusals(replace(_raft(3), groups={"shop": shop}), ("2",))
    assert [one.what for one in found] == ["nobody leads it; nobody tells of a member of it"]


def test_one_witness_is_not_believed() -> None:
    assert _codes(replace(_raft(3), asked=("1",)), "2") == ["one-witness"]
    alone = _raft(1)
    assert "one-witness" not in _codes(alone, "1")


def test_who_is_no_member() -> None:
    assert _codes(_raft(3), "9") == ["not-a-member"]


def test_what_the_driver_found_counts() -> None:
    alarm = Finding("alarm", "db1", "NOSPACE")
    assert _codes(replace(_raft(3), findings=(alarm,)), "2") == ["alarm"]


def test_what_the_driver_found_of_the_member_itself_does_not_keep_it_from_being_mended() -> None:
    silent = Finding("silent-member", "3", "does not answer", member="3")
    down = replace(_raft(5, down=(3,)), findings=(silent,))
    assert _codes(down, "3") == []
    assert _codes(down, "2") == ["silent-member", "not-in-sync", "no-reserve"]
    absolute = replace(down, findings=(replace(silent, absolute=True),))
    assert _codes(absolute, "3") == ["silent-member"]


def test_a_partition_below_its_minimum() -> None:
    lagging = _partition(_raft(3), in_sync=frozenset("12"))
    assert _codes(lagging, "1") == ["not-in-sync", "too-few-in-sync"]
    assert _codes(lagging, "3") == []
    assert not any(one.absolute for one in refusals(lagging, ("1",)))


def test_a_partition_that_can_never_be_safe() -> None:
    assert _codes(_partition(_raft(3), minimum=3), "1") == ["never-safe"]
    alone = _partition(_raft(3), members=("1",), in_sync=frozenset("1"), minimum=1)
    assert _codes(alone, "1") == ["never-safe", "nobody-takes-over"]
    assert _codes(alone, "2") == []


def test_nobody_would_take_over() -> None:
    alone = _partition(_raft(3), in_sync=frozenset("1"), minimum=0)
    assert _codes(alone, "1") == ["not-in-sync", "no-reserve", "nobody-takes-over"]


def test_who_still_leads_is_not_stopped() -> None:
    topology = _raft(3)
    finding = still_leads(topology, "1")
    assert finding is not None
    assert finding.code == "still-leads"
    assert (finding.where, finding.what) == ("db1 (1)", "it leads 1 group: raft")
    assert still_leads(topology, "2") is None
    fixed = {"raft": replace(topology.groups["raft"], movable=False)}
    assert still_leads(replace(topology, groups=fixed), "1") is None
