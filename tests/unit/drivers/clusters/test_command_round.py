"""A cluster as commands on several hosts showed it: the worst of all views counts."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.errors import ClusterError
from gapless.testing.virtual_time import run_virtual

from .command_world import NAMES, World

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def topology(world: World, **config: Any) -> Topology:
    return run(world.driver(**config).topology())


def found(world: World, **config: Any) -> dict[str, Finding]:
    return {one.code: one for one in topology(world, **config).findings}


def test_all_is_well(world: World) -> None:
    told = topology(world)
    assert (told.findings, told.asked, told.singletons) == ((), NAMES, {})
    assert {name: group.leader for name, group in told.groups.items()} == {"a": "1", "b": "2"}
    assert all(group.full and group.minimum == 2 for group in told.groups.values())
    one = told.members["1"]
    assert (one.host, one.address, one.began, one.well) == ("host-1", "10.0.0.1:1", "first-1", True)
    assert all(refusals(told, [name]) == () for name in NAMES)
    assert all(group.movable for group in told.groups.values())
    assert not topology(world, transfer=None).groups["a"].movable
    driver = world.driver()
    assert (driver.name, driver.kind) == ("store", "command")
    assert run(driver.unsafe(told, ["1"])) == ()


def test_members_that_do_not_name_the_same_leader(world: World) -> None:
    world.group("3", "a")["leader"] = ""
    told = topology(world)
    assert told.groups["a"].leader == ""
    finding = {one.code: one for one in told.findings}["split-leaders"]
    assert finding.where == "a" and "3: nobody" in finding.evidence
    assert {"split-leaders", "no-leader"} <= {one.code for one in refusals(told, ["3"])}


def test_one_that_calls_everybody_in_sync_convinces_nobody(world: World) -> None:
    for name in ("1", "2"):
        world.group(name, "b")["in_sync"] = ["1", "2"]
    assert topology(world).groups["b"].in_sync == {"1", "2"}
    assert "not-in-sync" in {one.code for one in refusals(topology(world), ["1"])}


def test_who_is_behind_is_not_in_sync_whatever_all_say(world: World) -> None:
    world.all_say("a", position={"1": 100, "2": 100, "3": 90})
    assert topology(world).groups["a"].in_sync == {"1", "2"}
    assert topology(world, lag=10).groups["a"].full
    world.all_say("a", position={"1": 100, "2": 100})
    assert topology(world, lag=10).groups["a"].in_sync == {"1", "2"}, "not told is not there"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": ["1", "2"], "in_sync": ["1", "2"], "position": {}}, "quorum of 1, 2, min"),
        ({"minimum": 3}, "quorum of 1, 2, 3, minimum 3"),
        ({"kind": "replicas", "minimum": 2}, "replicas of 1, 2, 3, minimum 2"),
        ({"led": False}, "quorum of 1, 2, 3, minimum 2"),
    ],
)
def test_members_that_do_not_tell_the_same(world: World, change: dict[str, Any], said: str) -> None:
    world.group("3", "a").update(change)
    told = topology(world)
    finding = {one.code: one for one in told.findings}["split-groups"]
    assert said in finding.evidence and finding.where == "a"
    group = told.groups["a"]
    assert group.minimum == change.get("minimum", 2) and set(group.members) == set(NAMES)


def test_a_group_that_a_member_of_it_does_not_know(world: World) -> None:
    world.at("3")["groups"].pop()
    finding = found(world)["split-groups"]
    assert finding.where == "b" and "3: does not know it" in finding.evidence
    for name in ("1", "2"):
        world.group(name, "b").update(members=["1", "2"], in_sync=["1", "2"])
    assert topology(world).findings == (), "it is none of it"


def test_members_that_do_not_know_each_other(world: World) -> None:
    world.at("3")["members"].append({"id": "4"})
    codes = found(world)
    assert set(codes) == {"split-members", "unknown-member"}
    assert "3: 1, 2, 3, 4" in codes["split-members"].evidence
    assert topology(world).members["4"].trouble == "none of our hosts runs it"


def test_trouble_that_it_tells_or_another_one(world: World) -> None:
    world.member("3")["trouble"] = "it is starting"
    told = topology(world)
    assert told.members["3"].trouble == "it is starting"
    assert all(group.in_sync == {"1", "2"} for group in told.groups.values())
    assert "member-in-trouble" in {one.code for one in refusals(told, ["1"])}
    world.member("3")["trouble"] = ""
    world.member("3", by="1")["trouble"] = "unreachable"
    assert topology(world).members["3"].trouble == "1 says of it: unreachable"


def test_its_own_findings_hold(world: World) -> None:
    for name in NAMES:
        world.at(name)["findings"] = [
            {"code": "alarm", "where": "disk", "what": "it is full", "absolute": True}
        ]
    told = topology(world)
    assert told.findings == (Finding("alarm", "disk", "it is full", absolute=True),), "once"
    assert [one.code for one in refusals(told, ["3"])] == ["alarm"]


def test_roles_of_which_there_is_one(world: World) -> None:
    for name in NAMES:
        world.at(name)["singletons"] = {"controller": "3"}
    assert topology(world).singletons == {"controller": "3"}
    world.at("1")["singletons"] = {"controller": "1"}
    assert topology(world).singletons == {}


def test_no_groups_are_nothing_to_go_by(world: World) -> None:
    for name in NAMES:
        world.at(name)["groups"] = []
    assert set(found(world)) == {"no-groups"}


def test_one_member_on_two_hosts(world: World) -> None:
    world.at("3")["self"] = "2"
    finding = found(world)["member-asked-twice"]
    assert finding.absolute and "host-2, host-3" in finding.what


@pytest.mark.parametrize(
    ("status", "why"),
    [(3, "tell ended with 3"), (-9, "tell did not end in 5 s")],
)
def test_a_command_that_fails(world: World, status: int, why: str) -> None:
    world.status["host-3"] = status
    told = topology(world)
    (finding,) = told.findings
    assert finding.code == "silent-member" and why in finding.what and finding.member == "3"
    assert finding.evidence == "tell host-3\nit is broken"
    assert finding.next == "run it by hand on host-3: tell host-3"
    assert told.members["3"].host == "host-3", "the last host is that of the last member"
    assert told.groups["a"].in_sync == {"1", "2"}


def test_a_command_that_prints_nonsense(world: World) -> None:
    world.group("3", "b")["leader"] = 2
    (finding,) = topology(world).findings
    assert 'groups[1].leader: 2 is no text; write "2"' in finding.what
    assert finding.evidence.startswith('tell host-3 → {"version": 1')
    world.answers["host-3"] = ""
    (finding,) = topology(world).findings
    assert finding.evidence == "tell host-3 → (nothing)"
    world.dropped = 1500
    with pytest.raises(ClusterError) as caught:
        topology(world)
    assert "it printed 1,500 bytes more than are read" in caught.value.evidence


def test_nobody_tells(world: World) -> None:
    world.down = {"host-1", "host-2"}
    codes = {one.code for one in topology(world).findings}
    assert codes == {"unknown-member", "host-without-member"}, "of two nobody knows which is which"
    assert "one-witness" in {one.code for one in refusals(topology(world), ["3"])}
    world.answers["host-3"] = "{}"
    with pytest.raises(ClusterError, match="none of 3 hosts") as caught:
        topology(world)
    assert "host-3: tell does not print a topology" in caught.value.evidence
