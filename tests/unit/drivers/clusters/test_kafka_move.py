"""Leaders of Kafka that are elected anew: before a broker stops, and when it is back."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.gates import still_leads
from gapless.clusters.kept import kept, recalled
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.kafka import KafkaCluster
from gapless.drivers.clusters.kafka_round import QUORUM
from gapless.errors import FenceRefused
from gapless.model import Fence
from gapless.testing.virtual_time import run_virtual

from .kafka_words import Partition, World

T = TypeVar("T")
FENCE = Fence("stream", "r1", 4)


@pytest.fixture
def world() -> World:
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def evacuated(world: World, member: str = "2", within: float = 5.0) -> dict[str, Moved]:
    moved = run(world.driver().evacuate(member, [], within, FENCE))
    return {one.group: one for one in moved}


def test_what_it_leads_as_the_preferred_one_it_hands_over_while_it_stops(world: World) -> None:
    (moved,) = evacuated(world).values()
    assert not moved.left and "controlled shutdown" in moved.why
    assert world.elections == [] and world.acts == []
    assert still_leads(run(world.driver().topology()), "2") is None, "it may be stopped"


def test_who_is_the_controller_is_so_until_it_stops(world: World) -> None:
    told = evacuated(world, "1")
    assert told.keys() == {"orders-0", QUORUM} and not any(one.left for one in told.values())
    assert "elect another controller when it stops" in told[QUORUM].why


def test_what_another_one_is_to_lead_is_elected_before(world: World) -> None:
    world.partitions["orders-0"].leader = "2"
    assert still_leads(run(world.driver().topology()), "2") is not None
    moved = evacuated(world)
    assert (moved["orders-0"].left, moved["orders-0"].to) == (True, "1")
    assert not moved["orders-1"].left
    assert world.elections == [("1", ("orders-0",))], "by another broker than the one that goes"
    assert world.acts == ["host-2 true"], "its own host admits it"
    assert evacuated(world).keys() == {"orders-1"}


def test_not_to_a_replica_that_is_behind(world: World) -> None:
    world.partitions["orders-0"].leader = "2"
    world.partitions["orders-0"].isr.remove("1")
    assert not any(one.left for one in evacuated(world).values()) and world.elections == []


def test_the_word_of_the_controller_is_not_believed(world: World) -> None:
    world.partitions["orders-0"].leader, world.deaf = "2", True
    moved = evacuated(world, within=2.5)["orders-0"]
    assert not moved.left and "not all brokers name its preferred leader" in moved.why
    assert len(world.elections) >= 2, "it was told again"
    world.own("3")
    world.deaf = False
    assert not evacuated(world, within=0.5)["orders-0"].left, "the broker 3 has not heard of it"


def test_an_election_in_vain_is_ordered_again(world: World) -> None:
    world.partitions["orders-0"].leader, world.after = "2", 1
    assert evacuated(world)["orders-0"].left and len(world.elections) == 2


def test_why_the_controller_refused(world: World) -> None:
    world.partitions["orders-0"].leader = "2"
    world.refusals = {"orders-0": "PreferredLeaderNotAvailableError"}
    assert "PreferredLeaderNotAvailableError" in evacuated(world, within=0.5)["orders-0"].why
    world.refusals, world.mute = {}, {"1", "2", "3"}
    assert "does not answer" in evacuated(world, within=0.5)["orders-0"].why


def test_any_broker_can_ask_the_controller(world: World) -> None:
    world.partitions["orders-0"].leader, world.mute = "2", {"1"}
    assert evacuated(world)["orders-0"].left and world.elections == [("3", ("orders-0",))]


def test_a_host_that_obeys_a_newer_rollout(world: World) -> None:
    world.partitions["orders-0"].leader = "2"
    world.refused = FenceRefused("newer")
    with pytest.raises(FenceRefused):
        evacuated(world)
    assert world.elections == []


async def returned(world: World, member: str = "2") -> KafkaCluster:
    """Another controller goes on where the first one was killed: it has the journal alone."""
    was = recalled(kept(await world.driver().topology(), member))
    world.gone(member)
    world.back(member)
    cluster = world.driver()
    assert (await cluster.rejoined(member, was)).done
    return cluster


def test_it_leads_again_what_it_led(world: World) -> None:
    async def scene() -> None:
        cluster = await returned(world)
        assert world.partitions["orders-1"].leader == "1"
        await cluster.prefer("2")
        assert world.elections == [("1", ("orders-1",))]
        assert world.partitions["orders-1"].leader == "2"
        await cluster.prefer("2")
        assert len(world.elections) == 1, "harmless where nothing is to do"

    run(scene())


def test_what_another_one_led_before_is_given_to_who_is_preferred(world: World) -> None:
    world.partitions["orders-1"].leader = "3"

    async def scene() -> None:
        cluster = await returned(world)
        await cluster.prefer("2")
        assert len(world.elections) == 1 and world.partitions["orders-1"].leader == "2"

    run(scene())


def test_of_several_all_that_prefer_it(world: World) -> None:
    world.partitions["orders-0"] = Partition(["2", "3", "1"], ["2", "3", "1"], "3")

    async def scene() -> None:
        cluster = await returned(world)
        await cluster.prefer("2")
        assert world.elections == [("1", ("orders-0", "orders-1"))]

    run(scene())


def test_one_that_is_not_in_sync_is_not_elected(world: World) -> None:
    async def scene() -> None:
        cluster = await returned(world)
        world.partitions["orders-1"].isr.remove("2")
        await cluster.prefer("2")
        assert world.elections == []

    run(scene())


def test_nothing_is_ordered_by_a_user_that_may_not(world: World) -> None:
    """That was forced."""
    for broker in world.brokers.values():
        broker.allowed = [8, 10]
    world.partitions["orders-0"].leader = "2"
    assert not any(one.left for one in evacuated(world).values())
    assert still_leads(run(world.driver().topology()), "2") is None

    async def scene() -> None:
        cluster = await returned(world)
        await cluster.prefer("2")

    run(scene())
    assert world.elections == [] and world.partitions["orders-1"].leader == "1"


def test_one_that_does_not_lead_again_is_told_as_that(world: World) -> None:
    async def scene() -> None:
        cluster = await returned(world)
        world.deaf = True
        (stuck,) = await cluster.prefer("2")
        assert not stuck.left and stuck.group == "orders-1" and stuck.why

    run(scene())


def test_nothing_is_written_down_before_a_stop(world: World) -> None:
    assert run(world.driver().seal("2", FENCE)) == ""
