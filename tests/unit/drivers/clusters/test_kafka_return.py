"""What a broker of Kafka lacks to be back after a restart."""

from __future__ import annotations

import pytest

from gapless.clusters.kept import kept, recalled
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Rejoined
from gapless.testing.virtual_time import run_virtual

from .kafka_words import World, silent


@pytest.fixture
def world() -> World:
    return World.of_three()


def before(world: World, member: str = "3") -> Topology:
    """As the journal has it."""
    return recalled(kept(run_virtual(world.driver().topology()), member))


def asked(world: World, was: Topology, member: str = "3") -> Rejoined:
    async def seen_and_asked() -> Rejoined:
        cluster = world.driver()
        return await cluster.rejoined(member, was)

    return run_virtual(seen_and_asked())


def test_it_is_back(world: World) -> None:
    was = before(world)
    assert asked(world, was).why.startswith("it is still the process of before: socket 100")
    world.gone("3")
    assert not asked(world, was).done
    world.back("3")
    assert asked(world, was) == Rejoined(True, "", 0)
    assert asked(world, was, "9").why == "9 was no member before"


def test_registered_is_not_in_sync(world: World) -> None:
    was = before(world)
    world.gone("3")
    world.back("3", synced=False)
    answer = asked(world, was)
    assert not answer.done and answer.lag == 3 * 900
    assert answer.why == "the broker 3 is not in the isr of orders-0, orders-1, orders-2"
    for name in ("orders-0", "orders-1"):
        world.partitions[name].isr.append("3")
    assert asked(world, was).lag == 900


def test_one_broker_that_does_not_see_it_in_the_isr_is_enough(world: World) -> None:
    was = before(world)
    world.gone("3")
    world.back("3")
    world.own("2")["orders-1"].isr.remove("3")
    assert asked(world, was).why == "the broker 3 is not in the isr of orders-1"


def test_a_replica_that_is_larger_and_not_in_sync_counts_for_one(world: World) -> None:
    was = before(world)
    world.gone("3")
    world.back("3")
    for one in ("1", "2"):
        world.own(one)["orders-1"].isr.remove("3")
    assert asked(world, was).lag == 1


def test_another_id_runs_there(world: World) -> None:
    was = before(world)
    world.gone("3")
    world.back("3")
    world.at("3").id = "7"
    assert asked(world, was).why == "host-3 runs the broker 7 now, not 3"


def test_it_is_not_registered_yet(world: World) -> None:
    was = before(world)
    world.at("3").inode += 1
    world.at("2").registered.remove("3")
    assert "is not registered, say 2" in asked(world, was).why


def test_one_alone_is_not_believed(world: World) -> None:
    was = before(world)
    world.at("3").inode += 1
    world.at("1").error, world.at("2").error = silent("1"), silent("2")
    assert "no other broker answers" in asked(world, was).why


def test_a_process_that_nothing_shows_any_more(world: World) -> None:
    """And one that nothing ever showed: then what started it has to tell."""
    was = before(world)
    world.at("3").inode = 0
    assert asked(world, was).why == "nothing shows which process it is, and it was known before"
    assert asked(world, before(world)).done


def test_a_replica_that_was_moved_away(world: World) -> None:
    was = before(world)
    world.at("3").inode += 1
    one = world.partitions["orders-0"]
    one.replicas.remove("3")
    one.isr.remove("3")
    assert asked(world, was).why == "the broker 3 is no replica of orders-0 any more"


def test_a_voter_that_has_not_caught_up(world: World) -> None:
    was = before(world)
    world.at("3").inode += 1
    for broker in world.brokers.values():
        broker.behind = {"3": 9000}
    assert asked(world, was).why == "the voter 3 had everything 9,000 ms ago"
    for broker in world.brokers.values():
        broker.controller = False
    assert asked(world, was).why == "no broker can ask the controller"
