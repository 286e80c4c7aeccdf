"""What is ordered by commands, and what is believed of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from gapless.clusters.kept import kept, recalled
from gapless.clusters.topology import Topology
from gapless.config.cluster_command import CommandClusterConfig
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.member_api import Silent
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Settlement
from gapless.testing.virtual_time import run_virtual

from .command_world import NAMES, World, fence

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def evacuate(
    world: World, member: str = "1", targets: tuple[str, ...] = (), **config: Any
) -> Moved:
    (moved,) = run(world.driver(**config).evacuate(member, targets, 4.0, fence()))
    return moved


def before(world: World, member: str) -> Topology:
    return recalled(kept(run(world.driver().topology()), member))


def test_a_leadership_is_handed_over_on_its_own_host(world: World) -> None:
    moved = evacuate(world, targets=("3",))
    assert (moved.group, moved.to, moved.left) == ("a", "3", True)
    ((host, argv, limit),) = world.ran
    assert (host, argv) == ("host-1", ("hand-over", "1", "a", "3", "host-1"))
    assert 1.0 <= limit <= 2.0, "half of the time, for there may be a second turn"


def test_of_several_it_is_who_has_got_furthest(world: World) -> None:
    world.all_say("a", position={"1": 100, "2": 99, "3": 100})
    assert evacuate(world, lag=10).to == "3"


def test_a_member_that_leads_nothing_is_told_nothing(world: World) -> None:
    assert run(world.driver().evacuate("3", (), 4.0, None)) == () and world.ran == []


def test_success_that_is_none_is_not_believed(world: World) -> None:
    world.obeys = False
    moved = evacuate(world)
    assert not moved.left and moved.why == "1 still leads, though 3 was to take over"
    assert moved.seconds == pytest.approx(4.0, abs=0.5)
    assert [argv[3] for _, argv, _ in world.ran] == ["2", "3"], "each of them once"


def test_all_have_to_say_so(world: World) -> None:
    world.obeys = False
    world.group("3", "a")["leader"] = "2"
    driver = world.driver()

    async def scene() -> Topology:
        return await driver.topology()

    assert run(scene()).groups["a"].leader == ""
    assert run(driver.evacuate("1", (), 1.0, None)) == (), "nobody leads it for sure"


def test_one_that_was_refused_is_not_waited_for(world: World) -> None:
    world.obeys, world.order_status = False, 4
    moved = evacuate(world)
    assert "transfer: hand-over ended with 4 on host-1" in moved.why and moved.seconds < 0.5
    assert "why not" in moved.why
    world.obeys = True
    assert evacuate(world).left, "it may have moved all the same"


def test_without_a_command_it_stays(world: World) -> None:
    assert "no command for transfer" in evacuate(world, transfer=None).why
    for name in NAMES:
        world.group(name, "a")["movable"] = False
    assert evacuate(world).why == "its command says that it cannot be moved"
    assert world.ran == []


def test_nobody_could_take_over(world: World) -> None:
    world.all_say("a", in_sync=["1"])
    assert evacuate(world).why == "no follower is in sync" and world.ran == []


def test_a_fence_that_is_too_old(world: World) -> None:
    world.newest = 5
    with pytest.raises(FenceRefused):
        evacuate(world)
    with pytest.raises(FenceRefused):
        run(world.driver().restore("1", fence()))
    assert world.ran == []


def test_an_order_of_which_nobody_knows_what_became(world: World) -> None:
    world.settlement = Settlement.LOST
    with pytest.raises(ClusterError, match="what became of seal on host-1 is not known"):
        run(world.driver().seal("1", fence()))


def test_seal_and_restore_run_on_its_host(world: World) -> None:
    driver = world.driver()
    assert run(driver.seal("2", fence())) == "did it"
    run(driver.restore("2", None))
    assert world.ran == [
        ("host-2", ("seal", "2"), 3.0), ("host-2", ("restore", "2", "host-2"), 10.0),
    ]  # fmt: skip
    plain = world.driver(seal=None, restore=None)
    assert run(plain.seal("2", None)) == ""
    run(plain.restore("2", None))
    assert len(world.ran) == 2


def test_an_order_that_fails(world: World) -> None:
    world.order_status = 7
    with pytest.raises(ClusterError, match="seal: seal ended with 7 on host-2") as caught:
        run(world.driver().seal("2", None))
    assert caught.value.evidence == "seal 2\nwhy not"
    driver = world.driver()
    run(driver.topology())
    world.down = {"host-2"}
    with pytest.raises(Silent, match="could not be run on host-2"):
        run(driver.restore("2", None))
    with pytest.raises(ClusterError, match="no host is known to run 9"):
        run(driver.restore("9", None))


def test_nothing_is_filled_in_twice(world: World) -> None:
    """What a cluster calls its groups is its own affair."""
    for name in NAMES:
        world.group(name, "a")["id"] = "{to}; rm {host}"
    evacuate(world)
    assert world.ran[0][1][2] == "{to}; rm {host}"


def test_it_is_back(world: World) -> None:
    was = before(world, "3")
    driver = world.driver()
    assert (
        run(driver.rejoined("3", was)).why == "it is still the process of before: began is first-3"
    )
    world.restarted("3")
    answer = run(driver.rejoined("3", was))
    assert answer.done and answer.lag == 0
    assert run(driver.rejoined("9", was)).why == "9 was no member before"


def test_it_is_not(world: World) -> None:
    was = before(world, "3")
    world.restarted("3")

    def lacks() -> tuple[str, int | None]:
        answer = run(world.driver().rejoined("3", was))
        assert not answer.done
        return answer.why, answer.lag

    world.all_say("a", position={"1": 100, "2": 100, "3": 60})
    assert lacks() == ("a: 3 is not in sync", 40)
    world.all_say("a", position={})
    world.group("1", "b")["in_sync"] = ["1", "2"]
    assert lacks() == ("b: 3 is not in sync", None)
    world.at("3")["groups"].pop()
    assert lacks()[0] == "b: 3 does not report it"
    for name in ("1", "2"):
        world.at(name)["groups"].pop()
    assert lacks()[0] == "b: nobody reports it"
    world.member("3")["began"] = ""
    assert lacks()[0] == "3 does not tell when it began, and did before"
    world.member("3")["trouble"] = "it is starting"
    assert lacks()[0] == "3 it is starting"
    world.status["host-3"] = 1
    assert lacks() == ("3 does not answer: tell ended with 1", None)
    world.status.clear()
    world.at("3")["self"] = "2"
    assert lacks()[0] == "host-3 runs 2 now, not 3"
    world.down = {"host-3"}
    for name in ("1", "2"):
        world.at(name)["members"].pop()
        world.at(name)["groups"] = []
    assert lacks()[0] == "3 is no member any more"


def test_where_no_process_is_named_the_runtime_has_to_do(world: World) -> None:
    for name in NAMES:
        world.member(name)["began"] = ""
    was = before(world, "3")
    assert run(world.driver().rejoined("3", was)).done


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"topology": ["tell", "{member}"]}, "topology: {member} is not known there"),
        ({"topology": ["x"], "seal": {"run": ["y", "{to}"]}}, "seal: {to} is not known there"),
        ({"topology": ["x"], "restore": {"run": "y {group}"}}, "restore: {group} is not known"),
        ({}, "topology"),
    ],
)
def test_keys_that_mean_nothing_there(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why.replace("{", r"\{")):
        CommandClusterConfig.model_validate(keys)


def prefer(world: World, member: str = "1", **config: Any) -> list[tuple[str, str, str]]:
    moved = run(world.driver(**config).prefer(member))
    return [(one.group, one.to, one.why) for one in moved]


def test_it_leads_again_what_prefers_it(world: World) -> None:
    world.all_say("a", leader="3", preferred="1")
    world.all_say("b", preferred="2")
    assert prefer(world) == [("a", "1", "")]
    ((host, argv, _),) = world.ran
    assert (host, argv) == ("host-3", ("hand-over", "3", "a", "1", "host-3"))


def test_one_that_is_not_in_sync_does_not_lead_again(world: World) -> None:
    world.all_say("a", leader="3", preferred="1", in_sync=["2", "3"])
    assert prefer(world) == [("a", "", "1 is not in sync")] and world.ran == []


def test_what_does_not_come_back_goes_to_nobody_else(world: World) -> None:
    world.all_say("a", leader="3", preferred="1")
    world.obeys = False
    ((_, _, why),) = prefer(world)
    assert why == "3 still leads, though 1 was to take over"
    assert {argv[3] for _, argv, _ in world.ran} == {"1"}


def test_members_that_do_not_agree_on_it_prefer_nobody(world: World) -> None:
    world.all_say("a", leader="3", preferred="1")
    world.group("2", "a")["preferred"] = "2"
    assert prefer(world) == [] == prefer(world, "2")


def test_without_a_command_for_transfer_nothing_comes_back(world: World) -> None:
    world.all_say("a", leader="3", preferred="1")
    assert prefer(world, transfer=None) == []


def test_a_preferred_leader_is_one_of_its_members(world: World) -> None:
    world.group("1", "a")["preferred"] = "9"
    topology = run(world.driver().topology())
    assert 'preferred: "9" is none of its members' in str(topology.members["1"].trouble)
