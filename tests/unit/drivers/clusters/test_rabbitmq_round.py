"""A cluster of RabbitMQ as several hosts showed it: who is in sync, and what is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters import rabbitmq_view as view
from gapless.drivers.clusters.rabbitmq_findings import alone, findings
from gapless.drivers.clusters.rabbitmq_life import Lives, same
from gapless.drivers.clusters.rabbitmq_round import Round

from .rabbitmq_words import NAMES, ORDERS, World, classic, quorum, stream

LOG = "/ > log"


@pytest.fixture
def world() -> World:
    return World.of_three()


def found(of: Round) -> dict[str, Finding]:
    told = {finding.code: finding for finding in findings(of)}
    assert all(one.next and one.what for one in told.values()), "each with its remedy"
    return told


def held(of: Round, *members: str, **messages: int) -> dict[str, Finding]:
    return {one.where: one for one in alone(of, members, messages)}


def topology(of: Round) -> Topology:
    groups = {group: of.group(group) for group in of.views}
    return Topology(by_id(of.members()), groups, findings(of), tuple(of.nodes))


def everywhere(world: World, *queues: dict[str, Any]) -> None:
    for one in world.nodes.values():
        one.queues += copy.deepcopy(queues)


def test_all_is_well(world: World) -> None:
    of = world.round()
    assert findings(of) == () and list(alone(of, NAMES, {})) == []
    group = of.group(ORDERS)
    assert (group.leader, group.members, group.minimum) == ("r1@h", NAMES, 2)
    assert group.in_sync == set(NAMES) and group.movable and group.led
    assert all(refusals(topology(of), [name]) == () for name in NAMES)
    (first, *_) = of.members()
    assert (first.host, first.version, first.began) == ("host-r1", "3.10.8", "11 since 1")


def test_a_copy_that_one_node_does_not_call_online_is_not_in_sync(world: World) -> None:
    world.at("r2@h").queues[0]["online"] = ["r1@h", "r2@h"]
    of = world.round()
    assert of.group(ORDERS).in_sync == {"r1@h", "r2@h"}
    assert of.objection(ORDERS, "r3@h") == "r2@h does not call it online"
    told = {one.code: one for one in refusals(topology(of), ["r1@h"])}
    assert told["quorum-lost"].absolute and "not-in-sync" in told


def test_nodes_that_name_different_leaders_are_told_of(world: World) -> None:
    world.lead("r2@h", "r3@h")
    of = world.round()
    assert of.leaders[ORDERS] == "r1@h", "most name it"
    assert of.objection(ORDERS, "r3@h") == "names r2@h, most name r1@h"
    assert found(of)["leader-disagreement"].where == ORDERS
    world.lead(None)
    assert of.group(ORDERS).leader == "r1@h" and world.round().group(ORDERS).leader == ""
    assert "no-leader" in {one.code for one in refusals(topology(world.round()), ["r1@h"])}


def test_a_node_that_is_down_is_told_of(world: World) -> None:
    world.gone("r3@h")
    of = world.round()
    assert set(found(of)) == {"node-down"} and found(of)["node-down"].member == "r3@h"
    assert "does not answer: no way" in of.trouble("r3@h")
    assert of.group(ORDERS).in_sync == {"r1@h", "r2@h"}


def test_maintenance_is_silence_while_others_see_it_run(world: World) -> None:
    world.down.add("host-r3")
    world.offline("r3@h")
    finding = found(world.round())["takes-no-connections"]
    assert finding.member == "r3@h" and "revive --node r3@h" in finding.next


def test_maintenance_that_is_told_of(world: World) -> None:
    world.at("r1@h").marked = ("r2@h",)
    of = world.round()
    assert set(found(of)) == {"in-maintenance"} and of.group(ORDERS).in_sync == {"r1@h", "r3@h"}


@pytest.mark.parametrize("how", ["running", "partitions"])
def test_a_partition_is_told_of(world: World, how: str) -> None:
    if how == "running":
        world.at("r1@h").running = ("r1@h", "r2@h")
    else:
        world.at("r1@h").partitions = ("r3@h",)
    finding = found(world.round())["partition"]
    assert (finding.where, finding.what) == ("r1@h", "is parted from r3@h")


def test_an_alarm_is_said_once(world: World) -> None:
    for one in world.nodes.values():
        one.alarms = (("r2@h", "memory"),)
    (finding,) = findings(world.round())
    assert (finding.code, finding.where) == ("alarm", "r2@h") and "memory" in finding.what


def test_members_that_count_differently_are_told_of(world: World) -> None:
    world.at("r1@h").known = ("r1@h", "r2@h")
    world.at("r1@h").running = ("r1@h", "r2@h")
    assert found(world.round())["cluster-disagreement"].where == "r1@h"


def test_a_node_on_none_of_our_hosts_is_told_of(world: World) -> None:
    for one in world.nodes.values():
        one.known = one.running = (*NAMES, "r4@h")
    finding = found(world.round())["unknown-member"]
    assert finding.where == "r4@h" and "none of our hosts runs it" in finding.what


def test_one_node_behind_two_addresses_is_told_of(world: World) -> None:
    world.nodes["host-r3"] = world.at("r2@h")
    assert found(world.round())["member-asked-twice"].absolute


def test_a_host_without_a_node_is_told_of(world: World) -> None:
    of = world.round()
    bare = Round(
        (*of.sights[:2], type(of.sights[0])("host-r9", why="refused", next="look")), of.places
    )
    assert found(bare)["host-without-member"].where == "host-r9"


@pytest.mark.parametrize(
    ("versions", "skewed"),
    [
        (("3.10.8", "3.10.25", "3.11.0"), False),
        (("3.10.8", "3.12.0", "3.12.0"), True),
        (("3.13.7", "4.0.5", "4.0.5"), False),
        (("3.12.7", "4.0.5", "4.0.5"), True),
        (("", "4.0.5", "4.1.0"), False),
        (("", "", ""), False),
    ],
)
def test_versions_that_matter(world: World, versions: tuple[str, ...], skewed: bool) -> None:
    for one, version in zip(world.nodes.values(), versions, strict=True):
        one.version = version
    assert ("version-skew" in found(world.round())) == skewed


def test_a_classic_queue_goes_away_with_its_node(world: World) -> None:
    everywhere(world, classic("r2@h"))
    of = world.round()
    assert held(of, "r2@h")["/ > old"].code == "single-copy"
    assert not held(of, "r2@h")["/ > old"].absolute and held(of, "r1@h") == {}
    assert "/ > old" not in of.views, "it is no group"


@pytest.mark.parametrize(("messages", "absolute"), [({"/ > old": 0}, False), ({}, True)])
def test_what_is_not_durable_would_be_gone(
    world: World, messages: dict[str, int], absolute: bool
) -> None:
    """Where nobody knows how much there is in it, there may be something."""
    everywhere(world, classic("r2@h", durable=False))
    told = held(world.round(), "r2@h", **messages)["/ > old"]
    assert (told.code, told.absolute) == ("transient-queue", absolute)
    assert held(world.round(), "r2@h", **{"/ > old": 7})["/ > old"].what.count("7 messages")


def test_mirrors_count_when_they_have_all_of_it(world: World) -> None:
    mirrors: dict[str, Any] = {"slave_nodes": ["r3@h"], "synchronised_slave_nodes": []}
    everywhere(world, classic("r2@h", **mirrors))
    assert held(world.round(), "r2@h")["/ > old"].code == "mirrors-not-synchronised"
    for one in world.nodes.values():
        one.queues[-1]["synchronised_slave_nodes"] = ["r3@h"]
    assert held(world.round(), "r2@h") == {}
    assert set(held(world.round(), "r2@h", "r3@h")) == {"/ > old"}, "both together"


def test_an_exclusive_queue_is_missed_by_nobody(world: World) -> None:
    everywhere(world, classic("r2@h", exclusive=True, durable=False))
    assert held(world.round(), "r2@h") == {}


def test_a_queue_without_a_member_to_spare_is_told_of(world: World) -> None:
    world.at("r1@h").critical = ("orders",)
    told = held(world.round(), "r1@h")
    assert told[ORDERS].code == "quorum-critical" and held(world.round(), "r2@h") == {}


def test_a_stream_counts_when_its_words_are_of_now(world: World) -> None:
    for one in world.nodes.values():
        one.streams = [stream()]
    group = world.round().group(LOG)
    assert (group.led, group.movable, group.minimum) == (False, False, 2)
    assert group.in_sync == set(NAMES)
    world.at("r3@h").uptime = 4.0
    of = world.round()
    assert of.group(LOG).in_sync == {"r1@h", "r2@h"} and of.group(ORDERS).full
    assert "up for 4 s" in of.objection(LOG, "r3@h")


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (view.who, []),
        (view.peers, [{"running": True}]),
        (view.peers, 5),
        (view.queues, [{"vhost": "/"}]),
        (view.queues, "nothing"),
        (view.alarms, {}),
        (view.critical, []),
        (view.messages, [{"messages": 3}]),
    ],
)
def test_nonsense_is_called_so(reading: Any, told: Any) -> None:
    with pytest.raises(view.NonsenseError):
        reading(told)


def test_checks_that_name_nothing_are_not_taken_for_ok() -> None:
    failed = {"status": "failed", "reason": "something"}
    assert view.alarms(failed) == (("", "something"),)
    assert view.critical(failed) == ("something",)
    assert view.queues([quorum(leader=None)])[ORDERS].leader == ""


def test_a_process_keeps_its_name(world: World) -> None:
    lives, node = Lives(), world.at("r1@h").node()
    assert lives.began(node) == "11 since -600"
    world.at("r1@h").uptime = 595.0  # told five seconds ago
    assert lives.began(world.at("r1@h").node()) == "11 since -600"
    world.at("r1@h").uptime = 3.0  # in a container the number is the same again
    assert lives.began(world.at("r1@h").node()) == "11 since -3"
    world.at("r1@h").pid = ""
    assert lives.began(world.at("r1@h").node()) == ""
    assert same("11 since 100", "11 since 105")
    assert not same("11 since 100", "12 since 100") and not same("", "") and not same("11", "11")
