"""A Kafka cluster as its brokers showed it: who leads, who is in sync, and what is wrong."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.group import Group, Kind
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.kafka_round import QUORUM
from gapless.errors import ClusterError
from gapless.testing.virtual_time import run_virtual

from .kafka_words import IDS, Broker, World, silent

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def topology(world: World, **config: Any) -> Topology:
    return run(world.driver(**config).topology())


def found(world: World) -> dict[str, Finding]:
    return {one.code: one for one in topology(world).findings}


def refused(world: World, member: str = "1") -> dict[str, Finding]:
    return {one.code: one for one in refusals(topology(world), [member])}


def voters(world: World) -> Group:
    return topology(world).groups[QUORUM]


def test_all_is_well(world: World) -> None:
    told = topology(world)
    assert (told.findings, told.asked, told.singletons) == ((), IDS, {"controller": "1"})
    assert list(told.groups) == [QUORUM, "orders-0", "orders-1", "orders-2"]
    group = told.groups["orders-1"]
    assert (group.kind, group.members, group.leader) == (Kind.REPLICAS, ("2", "3", "1"), "2")
    assert (group.minimum, group.slack, group.full, group.movable) == (2, 1, True, False)
    group = told.groups[QUORUM]
    assert (group.kind, group.members, group.leader) == (Kind.QUORUM, IDS, "1")
    assert (group.minimum, group.full, group.movable) == (2, True, False)
    one = told.members["1"]
    assert (one.host, one.address, one.zone, one.role) == ("host-1", "b1:9092", "r1", "controller")
    assert (one.version, one.well) == ("4.0", True)
    assert one.began.startswith("socket 100 of boot 5a2b")
    assert all(refusals(told, [member]) == () for member in IDS)


def test_a_partition_that_is_under_replicated(world: World) -> None:
    world.partitions["orders-2"].isr.remove("2")
    assert refused(world)["not-in-sync"].where == "orders-2"
    assert "too-few-in-sync" in refused(world), "two are left, and one may not go"


def test_a_topic_that_can_never_be_safe(world: World) -> None:
    """One replica, or a minimum as large as the number of replicas: said, and never waited for."""
    one = world.partitions["orders-0"]
    one.replicas, one.isr = ["1"], ["1"]
    assert {"never-safe", "nobody-takes-over"} <= refused(world).keys()
    assert refused(world, "2") == {}, "it has no part in it"
    world = World.of_three()
    for broker in world.brokers.values():
        broker.minimum["orders"] = "3"
    finding = refused(world)["never-safe"]
    assert "needs 3 of its 3 members" in finding.what and not finding.absolute


def test_the_largest_minimum_that_anybody_tells_counts(world: World) -> None:
    world.at("2").minimum["orders"] = "3"
    assert topology(world).groups["orders-0"].minimum == 3


def test_a_partition_without_a_leader(world: World) -> None:
    world.partitions["orders-1"].leader = ""
    assert refused(world)["no-leader"].where == "orders-1"


def test_brokers_that_do_not_say_the_same(world: World) -> None:
    """Of three that differ from one another nobody is the late one."""
    world.own("3")["orders-0"].leader = "3"
    finding = found(world)["metadata-disagreement"]
    assert finding.member == "3" and "orders-0" in finding.what
    assert "orders-0 as broker 3 knows it: leader 3, replicas 1,2,3" in finding.evidence
    assert topology(world).groups["orders-0"].leader == "", "none of the two is believed"
    world.own("2")["orders-0"].leader = "2"
    assert found(world)["metadata-disagreement"].member == ""


def test_a_broker_that_does_not_know_a_partition_yet(world: World) -> None:
    del world.own("2")["orders-1"]
    assert found(world)["metadata-disagreement"].member == "2"
    assert topology(world).groups["orders-1"].in_sync == frozenset()


def test_who_it_is_is_asked_of_all_once(world: World) -> None:
    """Each refusal stands in the broker's log."""

    async def scene() -> None:
        cluster = world.driver()
        for _ in range(2):
            await cluster.topology()

    run(scene())
    assert world.known == [
        *((f"host-{one}", "") for one in IDS), *((f"host-{one}", one) for one in IDS),
    ]  # fmt: skip


def test_a_fenced_broker_answers_and_is_not_registered(world: World) -> None:
    for broker in world.brokers.values():
        broker.registered.remove("2")
    finding = found(world)["not-registered"]
    assert (finding.member, finding.where) == ("2", "broker 2")
    assert "registered: 1, 3" in finding.evidence
    assert not topology(world).members["2"].well


def test_they_do_not_name_the_same_registered_ones(world: World) -> None:
    world.at("3").registered.remove("1")
    finding = found(world)["metadata-disagreement"]
    assert finding.member == "3" and "registered" in finding.what
    assert "broker 3 names 2, 3" in finding.evidence


def test_a_silent_broker_is_in_no_isr(world: World) -> None:
    run(world.driver().topology())
    world.at("2").error = silent("2")
    told = topology(world)
    (finding,) = told.findings
    assert (finding.code, finding.member) == ("silent-member", "2")
    assert "does not tell: Kafka on host-2 does not answer" in finding.what
    assert all("2" not in group.in_sync for group in told.groups.values())
    assert "quorum-lost" in {one.code for one in refusals(told, ["3"]) if one.absolute}


def test_a_host_that_cannot_be_asked_has_a_silent_broker(world: World) -> None:
    """The broker answers; which process that is, nobody tells."""
    world.down.add("host-3")
    finding = found(world)["silent-member"]
    assert finding.member == "3" and "grep could not be run on host-3" in finding.what


def test_a_broker_that_is_restarted_while_it_is_asked_has_said_nothing(world: World) -> None:
    world.at("3").restarts = True
    assert "was restarted while it was asked" in found(world)["silent-member"].what


def test_a_broker_that_none_of_our_hosts_runs(world: World) -> None:
    world.partitions["orders-0"].replicas.append("9")
    finding = found(world)["unknown-member"]
    assert finding.where == "broker 9" and "none of our hosts runs it" in finding.what


def test_a_host_without_a_broker(world: World) -> None:
    world.brokers["host-4"] = Broker("4", {}, error=silent("4"))
    finding = found(world)["host-without-member"]
    assert finding.where == "host-4"


def test_two_hosts_show_one_broker(world: World) -> None:
    world.brokers["host-3"] = Broker("2", world.partitions)
    assert found(world)["member-asked-twice"].absolute


def test_a_host_of_another_cluster_is_never_good_enough(world: World) -> None:
    world.at("3").cluster = "c2"
    finding = found(world)["another-cluster"]
    assert finding.absolute and "broker 3 of cluster c2" in finding.evidence


def test_a_voter_that_lags(world: World) -> None:
    """By the time since it had everything; where none is told by what it lacks."""
    for broker in world.brokers.values():
        broker.behind = {"2": 2500}
    assert voters(world).in_sync == {"1", "3"}
    assert {one.code for one in refusals(topology(world), ["3"]) if one.absolute} == {"quorum-lost"}
    for broker in world.brokers.values():
        broker.settings["controller.quorum.fetch.timeout.ms"] = "5000"
    assert voters(world).full
    for broker in world.brokers.values():
        broker.times, broker.ends = False, {"3": 3000}
    assert voters(world).in_sync == {"1", "2"}


def test_no_controller_is_known(world: World) -> None:
    for broker in world.brokers.values():
        broker.leader = -1
    assert refused(world)["no-leader"].where == QUORUM and topology(world).singletons == {}
    for broker in world.brokers.values():
        broker.controller = False
    finding = found(world)["controller-unknown"]
    assert "KafkaTimeoutError: no answer" in finding.evidence
    assert QUORUM not in topology(world).groups


def test_an_old_controller_is_not_believed(world: World) -> None:
    """One broker still asks the one of before; of one epoch two are none."""
    world.at("3").leader, world.at("3").epoch = 3, 6
    assert topology(world).singletons == {"controller": "1"}
    world.at("3").epoch = 7
    assert topology(world).singletons == {} and voters(world).leader == ""


def test_a_lost_disk(world: World) -> None:
    world.at("2").lost = ["/disk7"]
    finding = found(world)["log-dir-offline"]
    assert finding.member == "2" and "/disk7" in finding.what
    assert "log-dir-offline" not in refused(world, "2"), "to restart it mends it"


@pytest.mark.parametrize(
    ("codes", "settings", "code"),
    [
        ({"configs": 31}, {}, "not-allowed"),
        ({"cluster": 31}, {}, "not-allowed"),
        ({"quorum": 31}, {}, "not-allowed"),
        ({"moves": 31}, {}, "not-allowed"),
        ({"configs": 42}, {}, "not-kafka"),
        ({"dirs": 42}, {}, "not-kafka"),
        ({}, {"process.roles": ""}, "no-kraft"),
    ],
)
def test_a_broker_that_does_not_tell_enough(
    world: World, codes: dict[str, int], settings: dict[str, str], code: str
) -> None:
    run(world.driver().topology())
    world.at("3").codes, world.at("3").settings = codes, settings
    finding = found(world)[code]
    assert finding.member == "3" and finding.evidence.startswith("host-3:9092 → ")


@pytest.mark.parametrize("answer", ["partition", "quorum", "moves"])
def test_a_controller_that_does_not_answer_is_unknown(world: World, answer: str) -> None:
    """While another one is elected, that is so for a moment."""
    for broker in world.brokers.values():
        broker.codes[answer] = 6
    finding = found(world)["controller-unknown"]
    assert ("error 6" in finding.evidence) is (answer != "partition")


def test_nobody_tells(world: World) -> None:
    for one in IDS:
        world.at(one).error = silent(one)
    with pytest.raises(ClusterError, match="none of 3 hosts tells of a Kafka cluster") as caught:
        topology(world)
    assert "host-2: Kafka on host-2 does not answer\nrefused" in caught.value.evidence
    assert caught.value.next == "see"
