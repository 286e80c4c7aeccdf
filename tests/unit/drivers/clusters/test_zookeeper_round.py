"""A ZooKeeper ensemble as its servers showed it: who leads, who is in sync, and what is wrong."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.group import Group, Kind
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.zookeeper_round import ENSEMBLE
from gapless.errors import ClusterError
from gapless.testing.virtual_time import run_virtual

from .zookeeper_words import VOTERS, Server, World

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


def ensemble(world: World, **config: Any) -> Group:
    return topology(world, **config).groups[ENSEMBLE]


def test_all_is_well(world: World) -> None:
    told = topology(world)
    group = told.groups[ENSEMBLE]
    assert (told.findings, told.asked) == ((), VOTERS)
    assert (group.kind, group.members, group.leader) == (Kind.QUORUM, VOTERS, "1")
    assert (group.minimum, group.slack, group.full, group.movable) == (2, 1, True, False)
    assert group.position == dict.fromkeys(VOTERS, 0x200000064)
    one = told.members["1"]
    assert (one.host, one.role, one.version, one.well) == ("host-1", "leader", "3.8.0", True)
    assert (one.address, told.members["2"].role) == ("10.0.0.1:2888:3888", "follower")
    assert all(refusals(told, [member]) == () for member in VOTERS)
    assert sorted(world.said) == sorted(
        (f"host-{one}", word) for one in VOTERS for word in ("mntr", "srvr", "conf")
    )


def test_an_observer_is_a_member_and_holds_nothing() -> None:
    world = World.of_three(observers=("4",))
    told = topology(world)
    assert told.findings == () and told.groups[ENSEMBLE].members == VOTERS
    assert (told.members["4"].role, told.members["4"].well) == ("observer", True)
    assert refusals(told, ["4"]) == ()
    world.at("1").watching = 0
    finding = found(world)["observer-not-counted"]
    assert finding.member == "4" and "zk_synced_observers 0" in finding.evidence
    world.at("1").watching, world.at("4").state = 1, "follower"
    finding = found(world)["wrong-state"]
    assert finding.member == "4" and "has to be observer" in finding.what


def test_followers_that_the_leader_does_not_count_are_in_nobodys_sync(world: World) -> None:
    """It does not name them: neither may be stopped, nor the leader."""
    world.at("1").synced = 1
    told = topology(world)
    assert told.groups[ENSEMBLE].in_sync == {"1"}
    (finding,) = told.findings
    assert finding.code == "follower-not-counted" and "zk_synced_followers 1" in finding.evidence
    for member in VOTERS:
        assert "follower-not-counted" in {f.code for f in refusals(told, [member]) if f.absolute}


def test_of_five_one_that_is_not_counted_can_be_forced(world: World) -> None:
    """Whoever it is, a majority is left."""
    five = ("1", "2", "3", "4", "5")
    for one in five:
        world.servers[f"host-{one}"] = Server(one, voters=five, size=5)
    world.at("1").state, world.at("1").synced = "leader", 3
    finding = found(world)["follower-not-counted"]
    assert not finding.absolute
    world.at("1").synced = 2
    assert found(world)["follower-not-counted"].absolute


def test_non_voting_followers_do_not_count(world: World) -> None:
    world.at("1").synced, world.at("1").strangers = 3, 1
    assert topology(world).findings == ()
    world.at("1").synced = 2
    assert "follower-not-counted" in found(world)


def test_a_server_that_is_behind(world: World) -> None:
    world.at("3").zxid -= 90
    assert topology(world).findings == ()
    finding = found(world, lag=50)["server-behind"]
    assert (finding.member, finding.what) == ("3", "is 90 transactions behind")
    assert ensemble(world, lag=50).in_sync == {"1", "2"}


def test_two_leaders_lead_nothing_unless_one_has_no_majority(world: World) -> None:
    world.at("2").state, world.at("2").synced = "leader", 0
    told = topology(world)
    assert told.groups[ENSEMBLE].leader == "1"
    assert {one.code for one in told.findings} == {"two-leaders"}
    world.at("2").synced = 1
    assert ensemble(world).leader == "" and ensemble(world).in_sync == frozenset()
    assert "no-leader" in {one.code for one in refusals(topology(world), ["3"])}


def test_a_leader_without_a_majority_does_not_lead(world: World) -> None:
    world.at("1").synced = 0
    assert ensemble(world).leader == ""


def test_a_silent_leader_is_known_by_elimination(world: World) -> None:
    world.down = {"host-1"}
    told = topology(world)
    group = told.groups[ENSEMBLE]
    assert group.leader == "1" and group.in_sync == {"2", "3"}
    assert told.members["1"].host == "host-1", "the last host is that of the last member"
    assert {one.code for one in told.findings} == {"silent-member"}
    assert {one.code for one in refusals(told, ["2"]) if one.absolute} == {"quorum-lost"}
    assert refusals(told, ["1"]) == (), "to restart it may mend it, and costs nothing"
    world.at("3").state = "read-only"
    assert ensemble(world).leader == ""


def test_members_that_disagree(world: World) -> None:
    world.at("3").voters = ("1", "2", "3", "5")
    told = topology(world)
    assert told.groups[ENSEMBLE].minimum == 3, "the larger majority"
    codes = {one.code: one for one in told.findings}
    assert set(codes) == {"ensemble-disagreement", "unknown-member"}
    assert "server 3: version 100000000, voters 1=" in codes["ensemble-disagreement"].evidence
    world.at("3").voters = VOTERS
    world.at("2").size = 5
    assert set(found(world)) == {"ensemble-disagreement"}


def test_votes_that_do_not_count_alike(world: World) -> None:
    world.at("2").more = "group.1=1:2:3\nweight.1=1"
    assert "weighed-votes" in found(world)


def test_read_only(world: World) -> None:
    world.at("3").state = "read-only"
    told = topology(world)
    (finding,) = told.findings
    assert (finding.code, finding.member) == ("read-only", "3")
    assert not told.members["3"].well and told.groups[ENSEMBLE].in_sync == {"1", "2"}


def test_a_server_that_runs_alone(world: World) -> None:
    world.at("3").state, world.at("3").voters = "standalone", ()
    finding = found(world)["wrong-state"]
    assert finding.member == "3" and "names no ensemble" in finding.what


def test_requests_that_wait(world: World) -> None:
    world.at("2").outstanding = 1001
    finding = found(world)["overloaded"]
    assert finding.member == "2" and "1,001 requests wait there, and 1,000 may" in finding.what
    assert "overloaded" not in found(world, outstanding=2000)


def test_one_id_on_two_hosts(world: World) -> None:
    world.at("3").id = "2"
    finding = found(world)["member-asked-twice"]
    assert finding.absolute and "host-2, host-3" in finding.what


def test_a_word_that_is_not_allowed(world: World) -> None:
    world.at("2").words = ("srvr",)
    finding = found(world)["words-not-allowed"]
    assert finding.member == "2" and "the word mntr" in finding.what
    assert "4lw.commands.whitelist=mntr,srvr,conf" in finding.next
    assert "mntr on 127.0.0.1:2181 → mntr is not executed" in finding.evidence
    for one in world.servers.values():
        one.words = ("srvr",)
    with pytest.raises(ClusterError, match="none of 3 hosts") as caught:
        topology(world)
    assert "whitelist" in caught.value.next and "host-3:" in caught.value.evidence


def test_a_host_that_may_have_any_member(world: World) -> None:
    """Of two that are silent nobody knows which is which."""
    world.at("2").words, world.at("3").idle = ("srvr",), True
    told = topology(world)
    assert {(one.code, one.where) for one in told.findings if one.where.startswith("host")} == {
        ("words-not-allowed", "host-2"), ("not-serving", "host-3"),
    }  # fmt: skip
    world.down = {"host-2"}
    assert "host-without-member" in found(world)


def test_while_they_elect_it_is_known_who_they_are(world: World) -> None:
    async def scene() -> Topology:
        driver = world.driver()
        await driver.topology()
        for one in world.servers.values():
            one.idle = True
        return await driver.topology()

    told = run(scene())
    assert set(told.members) == set(VOTERS) and told.asked == ()
    assert {one.host for one in told.members.values()} == {"host-1", "host-2", "host-3"}
    codes = {one.code for one in refusals(told, ["1"])}
    assert {"not-serving", "one-witness", "no-leader", "not-in-sync"} <= codes


def test_nonsense_and_silence(world: World) -> None:
    world.at("3").missing = ("zk_looking_count",)
    finding = found(world)["silent-member"]
    assert "does not tell zk_looking_count" in finding.what and ">= 3.6" in finding.next
    world.at("3").missing, world.at("3").answers = (), {"conf": ""}
    finding = found(world)["silent-member"]
    assert "closed without an answer" in finding.what and "maxClientCnxns" in finding.next
    world.at("3").answers, world.lost = {}, {"host-3"}
    assert topology(world).findings == (), "it is asked once more"
    world.down = {"host-3"}
    assert "no way" in found(world)["silent-member"].evidence
