"""What a server of ZooKeeper lacks to be back, and what is ordered: nothing."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.kept import kept, recalled
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Rejoined
from gapless.testing.virtual_time import run_virtual

from .zookeeper_words import World

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def before(world: World, member: str) -> Topology:
    """As the journal has it."""
    return recalled(kept(run(world.driver().topology()), member))


def asked(world: World, was: Topology, member: str = "3") -> Rejoined:
    return run(world.driver(lag=50).rejoined(member, was))


def test_it_is_back(world: World) -> None:
    was = before(world, "3")
    assert asked(world, was).why == "it is still the process of before: its role lasts since then"
    world.restarted("3")
    assert asked(world, was) == Rejoined(True, "", 0)
    assert asked(world, was, "9").why == "9 was no member before"


def test_an_election_is_no_restart(world: World) -> None:
    was = before(world, "3")
    world.elected("2")
    answer = asked(world, was)
    assert not answer.done and "2 elections then, 3 now" in answer.why
    world.restarted("3")
    assert asked(world, was).done


def test_a_leader_comes_back_as_a_follower(world: World) -> None:
    was = before(world, "1")
    world.elected("2")
    world.restarted("1")
    assert asked(world, was, "1").done


def test_it_is_not(world: World) -> None:
    was = before(world, "3")
    world.restarted("3")
    one = world.at("3")
    one.zxid -= 70
    assert asked(world, was) == Rejoined(False, "the server 3 is 70 transactions behind", 70)
    one.zxid += 70
    world.at("1").synced = 1
    assert "counts 1 of 2 followers in sync" in asked(world, was).why
    world.at("1").synced, one.state = 2, "read-only"
    assert "has to be leader or follower" in asked(world, was).why
    one.state, world.at("1").state = "follower", "follower"
    assert "nobody leads it" in asked(world, was).why
    world.at("1").state = "leader"
    one.idle = True
    assert "serves nobody" in asked(world, was).why and asked(world, was).lag is None
    one.idle, one.id = False, "7"
    assert asked(world, was).why == "host-3 runs the server 7 now, not 3"


def test_it_votes_as_before(world: World) -> None:
    was = before(world, "3")
    world.restarted("3")
    for one in world.servers.values():
        one.voters, one.observers, one.size = ("1", "2"), ("3",), 2
    world.at("3").state, world.at("1").synced, world.at("1").watching = "observer", 1, 1
    assert asked(world, was).why == "the server 3 does not vote any more"


def test_an_observer(world: World) -> None:
    world = World.of_three(observers=("4",))
    was = before(world, "4")
    world.restarted("4")
    world.at("1").watching = 0
    assert asked(world, was, "4").why == "the leader counts 0 of 1 observers in sync"
    world.at("1").watching = 1
    assert asked(world, was, "4").done


def test_nothing_is_ordered(world: World) -> None:
    driver = world.driver()
    (moved,) = run(driver.evacuate("1", ["2"], 5.0, None))
    assert not moved.left and "when it stops" in moved.why
    assert run(driver.evacuate("2", ["1"], 5.0, None)) == ()
    assert run(driver.seal("1", None)) == ""
    run(driver.restore("1", None))
    assert run(driver.unsafe(run(driver.topology()), ["1"])) == ()
    assert {word for _, word in world.said} == {"mntr", "srvr", "conf"}
    assert (driver.name, driver.kind) == ("locks", "zookeeper")


def test_who_it_is_has_one_name_while_its_role_lasts(world: World) -> None:
    async def scene() -> list[str]:
        driver, names = world.driver(), []
        for later in (0.0, 0.3, 700.0):
            world.now += later
            world.at("3").role += 0.02  # uptimes are told in whole milliseconds, and come late
            names.append((await driver.topology()).members["3"].began)
        return names

    assert len(set(run(scene()))) == 1
