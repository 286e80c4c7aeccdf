"""When a node of RabbitMQ is back after a restart, with nodes that answer as they are told."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Rejoined
from gapless.testing.virtual_time import run_virtual

from .rabbitmq_words import World

T = TypeVar("T")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("RABBIT_PASSWORD", "geheim")
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def topology(world: World) -> Topology:
    return run(world.driver().topology())


def rejoined(world: World, before: Topology, member: str = "r1@h") -> Rejoined:
    return run(world.driver().rejoined(member, before))


def test_a_member_is_back_as_another_process(world: World) -> None:
    before = topology(world)
    told = rejoined(world, before)
    assert not told.done and "still the process" in told.why and told.lag == 0
    world.gone("r1@h")
    assert rejoined(world, before).lag is None
    world.back("r1@h")
    world.offline("r1@h")
    told = rejoined(world, before)
    assert (told.done, told.lag) == (False, 1) and "does not call it online" in told.why
    world.back("r1@h")
    assert rejoined(world, before) == Rejoined(True, "", 0)
    assert world.verbs() == ["await_startup"] and world.said[0][0] == "rabbitmqctl"
    assert rejoined(world, before, "r9@h").why == "r9@h was no member before"


def test_it_is_not_back_before_all_of_it_has_started(world: World) -> None:
    before = topology(world)
    world.back("r1@h")
    world.fails["await_startup"] = "still booting"

    async def views() -> list[bool]:
        driver = world.driver()
        found = [(await driver.rejoined("r1@h", before)).done]
        world.fails.clear()
        return found + [(await driver.rejoined("r1@h", before)).done for _ in range(3)]

    assert run(views()) == [False, True, True, True]
    assert len(world.said) == 2, "asked until it says so, once"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("another", "it is another node"),
        ("blind", "does not see r2@h run"),
        ("unseen", "does not see it run"),
        ("marked", "is in maintenance"),
        ("unreported", "nobody reports it"),
        ("shrunk", "is no member of it any more"),
    ],
)
def test_what_it_may_lack(world: World, change: str, why: str) -> None:
    before = topology(world)
    world.back("r1@h")
    one, other = world.at("r1@h"), world.at("r2@h")
    if change == "another":
        one.name = "r7@h"
    elif change == "blind":
        one.running = ("r1@h", "r3@h")
    elif change == "unseen":
        other.running = ("r2@h", "r3@h")
    elif change == "marked":
        other.marked = ("r1@h",)
    for node in world.nodes.values():
        if change == "unreported":
            node.queues = []
        elif change == "shrunk":
            node.queues[0]["members"] = ["r2@h", "r3@h"]
    told = rejoined(world, before)
    assert not told.done and why in told.why


def test_the_command_line_knows_a_young_process(world: World) -> None:
    """The API tells of it seconds later."""
    before = topology(world)
    world.back("r1@h")
    world.at("r1@h").pid, world.lives = "", "99"

    async def views() -> list[bool]:
        driver = world.driver()
        return [(await driver.rejoined("r1@h", before)).done for _ in range(3)]

    assert run(views()) == [True, True, True]
    assert world.verbs() == ["status", "await_startup"], "once each"


def test_a_member_that_is_young_before_its_restart_is_known_afterwards(world: World) -> None:
    """It was started a moment before, and the API tells nothing of its process yet."""
    pid, world.at("r1@h").pid = world.at("r1@h").pid, ""
    world.lives = pid
    before = topology(world)
    assert before.members["r1@h"].began.startswith(pid) and world.verbs() == ["status"]
    world.at("r1@h").pid = pid
    assert "still the process" in rejoined(world, before).why
    world.back("r1@h")
    assert rejoined(world, before).done


@pytest.mark.parametrize("how", ["nonsense", "fails"])
def test_a_young_process_that_nobody_tells_of_is_not_back(world: World, how: str) -> None:
    before = topology(world)
    world.back("r1@h")
    world.at("r1@h").pid, world.lives = "", "99"
    if how == "nonsense":
        world.nonsense = "Error:"
    else:
        world.fails["status"] = "no such node"
    assert "nobody can tell yet" in rejoined(world, before).why
