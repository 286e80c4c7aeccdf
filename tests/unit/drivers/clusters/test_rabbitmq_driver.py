"""The driver for RabbitMQ: what it asks and orders, with nodes that answer as they are told."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence
from gapless.testing.virtual_time import run_virtual

from .rabbitmq_words import NAMES, ORDERS, World, classic, stream

T = TypeVar("T")
FENCE = Fence("bus", "r1", 1)
SPARED = "await_online_quorum_plus_one"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("RABBIT_PASSWORD", "geheim")
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def topology(world: World) -> Topology:
    return run(world.driver().topology())


def evacuate(world: World, member: str = "r1@h", within: float = 10.0) -> tuple[Moved, ...]:
    return run(world.driver().evacuate(member, [], within, None))


def test_a_topology_has_everybody(world: World) -> None:
    told = topology(world)
    assert (told.asked, told.findings) == (NAMES, ()) and world.said == []
    assert {name: group.leader for name, group in told.groups.items()} == {ORDERS: "r1@h"}
    assert [one.host for one in told.members.values()] == ["host-r1", "host-r2", "host-r3"]
    driver = world.driver()
    assert (driver.name, driver.kind) == ("bus", "rabbitmq")
    assert run(driver.seal("r1@h", None)) == ""


def test_where_nobody_answers_nothing_is_known(world: World) -> None:
    world.down = set(world.nodes)
    with pytest.raises(ClusterError, match="none of 3 hosts") as error:
        topology(world)
    assert "host-r2: RabbitMQ on host-r2 does not answer" in error.value.evidence


@pytest.mark.parametrize(
    ("status", "raw", "what"),
    [(401, {"error": "x"}, "does not let in"), (500, {}, "refuses"), (200, [1], "nonsense")],
)
def test_an_answer_that_is_none_is_told_of(world: World, status: int, raw: Any, what: str) -> None:
    world.at("r2@h").status, world.at("r2@h").raw = status, raw
    told = topology(world)
    (finding,) = told.findings
    assert finding.code == "takes-no-connections" and what in finding.what
    assert "geheim" not in repr(told) and told.asked == ("r1@h", "r3@h")


def test_streams_are_asked_for_where_there_are_any(world: World) -> None:
    for one in world.nodes.values():
        one.streams = [stream()]
    told = topology(world)
    assert told.groups["/ > log"].full and not told.groups["/ > log"].led


def test_maintenance_moves_all_that_it_leads(world: World) -> None:
    (moved,) = evacuate(world)
    assert (moved.group, moved.to, moved.left) == (ORDERS, "r2@h", True)
    assert world.verbs() == [SPARED, "drain"], "what it waits for never comes when it is drained"
    assert all(words[:3] == ("rabbitmq-upgrade", "--node", "r1@h") for words in world.said)
    assert evacuate(world) == () and len(world.said) == 2, "once more does no harm"


def test_a_member_that_leads_nothing_loses_its_connections_too(world: World) -> None:
    assert evacuate(world, "r3@h") == () and world.drained == {"r3@h"}


def test_words_before_the_command_are_filled_in(world: World) -> None:
    run(world.driver(command=["sudo", "-n", "on-{host}"]).evacuate("r3@h", [], 10, None))
    assert world.said[0][:4] == ("sudo", "-n", "on-host-r3", "rabbitmq-upgrade")


def test_its_word_is_not_believed(world: World) -> None:
    """Status 0, and it serves on: told again once, then an error."""
    world.obeys = False
    with pytest.raises(ClusterError, match="takes connections"):
        evacuate(world)
    assert world.verbs() == [SPARED, "drain", "drain"]


def test_a_queue_that_nobody_takes_over_has_not_left(world: World) -> None:
    world.heir = ""
    (moved,) = evacuate(world)
    assert not moved.left and "r2@h names r1@h" in moved.why
    assert world.verbs().count("drain") == 2


def test_others_that_disagree_have_not_taken_over(world: World) -> None:
    world.heir = ""
    world.lead("r2@h", "r2@h")
    world.lead("r3@h", "r3@h")
    (moved,) = evacuate(world)
    assert not moved.left and "r2@h names r2@h, r3@h names r3@h" in moved.why


def test_no_member_to_spare_is_not_waited_for_in_vain(world: World) -> None:
    """It was judged before, and forced with a reason."""
    world.at("r1@h").critical = ("orders",)
    evacuate(world)
    assert world.verbs() == ["drain"]


@pytest.mark.parametrize("verb", [SPARED, "drain"])
def test_an_order_that_fails_is_an_error(world: World, verb: str) -> None:
    world.fails[verb] = "no such node"
    with pytest.raises(
        ClusterError, match=f"rabbitmq-upgrade {verb} ended with status 69"
    ) as error:
        evacuate(world)
    assert "no such node" in error.value.evidence


def test_what_is_down_can_be_told_nothing(world: World) -> None:
    world.gone("r1@h")
    (moved,) = evacuate(world)
    assert "does not answer" in moved.why and world.said == []


def test_who_answers_alone_is_told_nothing(world: World) -> None:
    """It would hand over to others that we cannot reach."""
    world.down = {"host-r2", "host-r3"}
    (moved,) = evacuate(world)
    assert moved.group == ORDERS and "none but r1@h answers" in moved.why
    world.down = {"host-r1", "host-r2"}
    (moved,) = evacuate(world)
    assert moved.why == "r1@h leads, and does not answer"
    assert evacuate(world, "r3@h") == () and world.said == []


def test_what_leads_again_in_maintenance_is_told_again(world: World) -> None:
    async def twice() -> tuple[Moved, ...]:
        driver = world.driver()
        await driver.evacuate("r1@h", [], 10, None)
        world.lead("r1@h")
        return await driver.evacuate("r1@h", [], 10, None)

    (moved,) = run(twice())
    assert moved.left and world.verbs() == [SPARED, "drain", "drain"]


def test_only_the_newest_rollout_orders_anything(world: World) -> None:
    world.newest = 2
    with pytest.raises(FenceRefused):
        run(world.driver().evacuate("r1@h", [], 10, FENCE))
    with pytest.raises(FenceRefused):
        run(world.driver().restore("r1@h", FENCE))
    assert world.drained == set()
    (moved,) = run(world.driver().evacuate("r1@h", [], 10, Fence("bus", "r1", 2)))
    assert moved.left


def test_maintenance_is_taken_back_by_whoever_comes_next(world: World) -> None:
    evacuate(world, "r2@h")
    run(world.driver().restore("r2@h", Fence("bus", "r2", 1)))
    assert world.drained == set() and topology(world).findings == ()


def test_what_stays_in_maintenance_is_an_error(world: World) -> None:
    evacuate(world, "r2@h")
    world.obeys = False
    with pytest.raises(ClusterError, match="was revived, and is not back"):
        run(world.driver().restore("r2@h", None))


def test_a_restart_has_taken_it_back_already(world: World) -> None:
    async def scene() -> None:
        driver = world.driver()
        await driver.evacuate("r2@h", [], 10, None)
        world.gone("r2@h")
        await driver.restore("r2@h", None)
        world.back("r2@h")
        await driver.restore("r2@h", None)

    run(scene())
    assert "revive" not in world.verbs()


@pytest.mark.parametrize(("messages", "absolute"), [(0, False), (3, True)])
def test_what_is_in_a_passing_queue_is_counted(world: World, messages: int, absolute: bool) -> None:
    for one in world.nodes.values():
        one.queues.append(classic("r2@h", durable=False))
        one.messages = {"old": messages}
    driver = world.driver()
    (found,) = run(driver.unsafe(topology(world), ["r2@h"]))
    assert (found.code, found.absolute) == ("transient-queue", absolute)
    assert run(driver.unsafe(topology(world), ["r1@h"])) == ()


def test_what_calls_itself_in_maintenance_is_not_revived(world: World) -> None:
    evacuate(world, "r2@h")
    world.marked = {"r2@h"}
    with pytest.raises(ClusterError, match="calls itself in maintenance"):
        run(world.driver().restore("r2@h", None))
