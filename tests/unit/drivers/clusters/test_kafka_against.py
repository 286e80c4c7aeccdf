"""What speaks against stopping a broker of Kafka though nothing is wrong."""

from __future__ import annotations

import pytest

from gapless.clusters.finding import Finding
from gapless.testing.virtual_time import run_virtual

from .kafka_words import Partition, World


@pytest.fixture
def world() -> World:
    return World.of_three()


def against(world: World, *members: str) -> dict[str, Finding]:
    async def asked() -> tuple[Finding, ...]:
        cluster = world.driver()
        return await cluster.unsafe(await cluster.topology(), members or ("1",))

    found = run_virtual(asked())
    assert not any(one.absolute for one in found)
    return {one.code: one for one in found}


def test_nothing(world: World) -> None:
    assert against(world) == {}


def test_an_unclean_election_may_lose_what_was_acknowledged(world: World) -> None:
    world.at("2").unclean = ["orders"]
    assert "orders" in against(world)["unclean-election"].what
    for one in world.partitions.values():
        one.replicas, one.isr = ["2", "3"], ["2", "3"]
    assert against(world) == {}, "it holds nothing of them"


def test_an_unfinished_reassignment_that_touches_it(world: World) -> None:
    world.partitions["other-0"] = Partition(["2", "3"], ["2", "3"], "2")
    for broker in world.brokers.values():
        broker.moves = ["other-0"]
    assert against(world) == {}
    finding = against(world, "2")["reassignment"]
    assert "other-0" in finding.what and "kafka-reassign-partitions.sh" in finding.next


def test_a_broker_without_controlled_shutdown(world: World) -> None:
    world.at("2").settings["controlled.shutdown.enable"] = "false"
    assert against(world) == {}
    assert against(world, "2")["no-controlled-shutdown"].where == "broker 2"


def test_a_user_that_may_not_have_leaders_elected(world: World) -> None:
    """What is not told at all is no refusal: a cluster without access lists."""
    for broker in world.brokers.values():
        broker.allowed = [8, 10]
    assert "Alter" in against(world)["not-allowed"].evidence
    for broker in world.brokers.values():
        broker.allowed = None
    assert against(world) == {}


def test_topics_that_we_are_not_shown(world: World) -> None:
    """The disks have them; or how they are set up is not told."""
    for broker in world.brokers.values():
        broker.unshown = ["orders"]
    finding = against(world)["hidden-topics"]
    assert "orders" in finding.what and "Describe" in finding.next
    world = World.of_three()
    world.at("1").codes["orders"] = 29
    assert "orders" in against(world)["hidden-topics"].what
