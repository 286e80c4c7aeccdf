"""Redis with Sentinel, judged and moved without one."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.base import Moved
from gapless.testing.virtual_time import run_virtual

from .redis_world import MASTER, World

ONE, TWO, THREE = (f"10.0.0.{n}:6379" for n in (1, 2, 3))
ASKED_NOW = [f"redis1 SENTINEL DEBUG INFO-PERIOD {period}" for period in (101, 10000)]


def look(world: World, **changed: int) -> Topology:
    return run_virtual(world.driver(**changed).topology())


def codes(seen: Topology) -> dict[str, str]:
    return {one.where: one.code for one in seen.findings}


def evacuate(world: World, member: str = ONE, *targets: str, within: float = 2.0) -> Moved:
    (moved,) = run_virtual(world.driver().evacuate(member, targets, within, None))
    return moved


def test_a_healthy_one() -> None:
    seen = look(World.of_three())
    assert not seen.findings and seen.asked == (ONE, TWO, THREE)
    assert all(refusals(seen, [one]) == () for one in seen.members)
    group = seen.groups[MASTER]
    assert (group.leader, group.minimum, group.slack, group.full) == (ONE, 1, 2, True)
    assert [(one.host, one.role, one.began) for one in seen.members.values()] == [
        ("redis1", "master", "life1"),
        ("redis2", "replica", "life2"),
        ("redis3", "replica", "life3"),
    ]


def test_replicas_that_the_master_wants_to_see_count() -> None:
    world = World.of_three()
    world.servers["redis1"].quorum = 1
    assert look(world).groups[MASTER].slack == 1


def test_sentinels_that_name_different_masters() -> None:
    world = World.of_three()
    world.doctored["redis3"] = TWO
    seen = look(world)
    (found,) = (one for one in seen.findings if one.where == MASTER)
    assert found.code == "sentinels-disagree" and "2 different masters" in found.what
    assert "redis3: 10.0.0.2:6379" in found.evidence and found.next
    assert seen.groups[MASTER].leader == ""
    assert "not all sentinels" in evacuate(world).why
    assert not world.log


def test_a_quorum_that_is_missing_a_flag_and_a_silent_sentinel() -> None:
    world = World.of_three()
    world.quorum["redis2"] = "NOQUORUM 1 usable Sentinels"
    world.flags[THREE] = "s_down"
    found = codes(look(world))
    assert found == {"sentinel on redis2": "sentinel-no-quorum", THREE: "redis-flagged"}


def test_a_host_without_a_way_keeps_its_place() -> None:
    world = World.of_three()
    driver = world.driver()
    run_virtual(driver.topology())
    world.down.add("redis2")
    seen = run_virtual(driver.topology())
    assert codes(seen) == {"sentinel on redis2": "sentinel-silent", TWO: "redis-silent"}
    assert (member := seen.on("redis2")) and member.id == TWO and member.trouble
    assert seen.groups[MASTER].in_sync == {ONE, THREE}


def test_a_process_that_no_sentinel_has_heard_of_is_known_by_its_door() -> None:
    world = World.of_three()
    world.stale = {ONE, TWO, THREE}
    assert not look(world).findings


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"link": "down"}, "link"),
        ({"syncing": True}, "copying"),
        ({"offset": 1}, "999 bytes behind"),
        ({"following": ""}, "takes writes"),
    ],
)
def test_a_replica_that_is_not_in_sync(wrong: dict[str, object], says: str) -> None:
    world = World.of_three()
    for name, value in wrong.items():
        setattr(world.servers["redis2"], name, value)
    seen = look(world, lag=500)
    (found,) = seen.findings
    assert found.where == TWO and says in found.what and "INFO replication" in found.evidence
    assert found.code == ("redis-two-masters" if "following" in wrong else "redis-not-in-sync")
    assert found.member == ("" if "following" in wrong else TWO)
    assert seen.groups[MASTER].slack == 1


def test_a_master_that_would_come_back_empty() -> None:
    world = World.of_three()
    world.servers["redis1"].appendonly = world.servers["redis2"].appendonly = "no"
    driver = world.driver()
    seen = run_virtual(driver.topology())
    (found,) = run_virtual(driver.unsafe(seen, [ONE, TWO]))
    assert (found.code, found.where, found.absolute) == ("redis-unpersisted-master", ONE, True)


def test_the_steps_of_a_move() -> None:
    world = World.of_three()
    moved = evacuate(world, ONE, TWO, THREE)
    assert moved.left and moved.to in (TWO, THREE)
    host, _, port = moved.to.rpartition(":")
    assert world.log == [
        *ASKED_NOW,
        "redis1 CLIENT PAUSE 15000 WRITE",
        f"redis1 SENTINEL FAILOVER {MASTER}",
        f"redis1 REPLICAOF {host} {port}",
        "redis1 CLIENT UNPAUSE",
    ]
    said = world.servers["redis1"].said
    assert said.index("CLIENT UNPAUSE") < said.index("CLIENT KILL TYPE normal SKIPME yes")
    assert "CONFIG REWRITE" in said  # else it starts as a master again


@pytest.mark.parametrize("slow", [0.0, 0.06, 0.28])
def test_the_order_comes_when_the_sentinel_is_about_to_ask_again(slow: float) -> None:
    """Its answers were 40 ms old, and are 0.76 s old when the order comes, whatever the pause and
    its three questions take."""
    world = World.of_three()
    world.slow = slow
    assert evacuate(world).left
    assert world.ordered - world.told_ages == pytest.approx(0.72, abs=0.02)


@pytest.mark.parametrize("when", ["redis1 INFO replication", "redis1 CLIENT PAUSE"])
def test_sentinels_that_move_it_meanwhile_are_not_ordered_again(when: str) -> None:
    """They would take the role from the new master, which holds back no write."""
    world = World.of_three()

    def fail_over() -> None:
        world._fail_over()
        world.at(ONE).following = world.master
        world.log.clear()

    world.gone[when] = fail_over
    moved = evacuate(world)
    assert moved.left and moved.to == world.master != ONE
    assert not any("FAILOVER" in one or "REPLICAOF" in one for one in world.log)
    assert not any(one.paused for one in world.servers.values())


def test_a_replica_that_falls_silent_keeps_the_master_from_being_paused_in_vain() -> None:
    world = World.of_three()
    world.gone["redis1 INFO replication"] = lambda: world.dumb.add("redis2")
    moved = evacuate(world, ONE, TWO, within=10.0)
    assert not moved.left and "sentinels might choose 10.0.0.2:6379" in moved.why
    assert not any("PAUSE" in one for one in world.log)


def test_a_replica_that_falls_silent_in_the_pause_ends_it() -> None:
    """Before sentinels could take the paused one for dead."""
    world = World.of_three()
    world.gone["redis1 CLIENT PAUSE"] = lambda: world.dumb.add("redis2")

    async def paused() -> float:
        loop = asyncio.get_running_loop()
        moving = asyncio.ensure_future(world.driver().evacuate(ONE, [TWO], 4.0, None))
        began = 0.0
        while not moving.done():
            if world.at(ONE).paused and not began:
                began = loop.time()
            if began and not world.at(ONE).paused:
                moving.cancel()
                return loop.time() - began
            await asyncio.sleep(0.01)
        return -1.0

    assert 0 < run_virtual(paused()) < 0.5, "sentinels wait 0.6 s"


@pytest.mark.parametrize(
    "sentinels", [{"untold": True}, {"periods": {"redis1": "3000"}}], ids=["old", "another's"]
)
def test_a_period_that_cannot_be_set_or_is_somebody_elses_is_left(
    sentinels: dict[str, Any],
) -> None:
    world = dataclasses.replace(World.of_three(), **sentinels)
    assert evacuate(world).left
    assert not any("DEBUG" in one for one in world.log)


def test_a_period_that_a_controller_left_behind_is_set_back() -> None:
    world = World.of_three()
    world.periods["redis2"] = "101"
    run_virtual(world.driver().restore(TWO, None))
    assert world.log == ["redis2 SENTINEL DEBUG INFO-PERIOD 10000"]


def test_a_sentinel_that_is_slow_to_ask_is_ordered_all_the_same() -> None:
    world = World.of_three()
    world.age = "5000"
    assert evacuate(world).left
    assert world.log[:2] == ASKED_NOW


def test_a_target_is_made_the_only_choice_for_the_time() -> None:
    world = World.of_three()
    world.servers["redis2"].priority = 7
    assert evacuate(world, ONE, THREE).to == THREE
    assert world.log[0] == "redis2 CONFIG SET replica-priority 1000007"
    assert world.log[-1] == "redis2 CONFIG SET replica-priority 7"


def test_a_replica_that_is_too_slow_is_left_out_of_the_second_attempt() -> None:
    world = World.of_three()
    world.servers["redis2"].offset -= 10
    moved = evacuate(world)
    assert moved.left and moved.to == THREE
    assert world.log[:5] == [
        *ASKED_NOW,
        "redis1 CLIENT PAUSE 15000 WRITE",
        "redis1 CLIENT UNPAUSE",
        "redis2 CONFIG SET replica-priority 1000100",
    ]
    assert world.servers["redis2"].priority == 100


def test_nothing_moves_while_all_are_too_slow_and_nothing_stays_paused() -> None:
    world = World.of_three()
    world.servers["redis2"].offset = world.servers["redis3"].offset = 990
    moved = evacuate(world)
    assert not moved.left and not world.servers["redis1"].paused
    assert not any("FAILOVER" in one for one in world.log)


def test_a_failover_that_is_refused_is_told_and_nothing_stays_paused() -> None:
    world = World.of_three()
    world.no_failover = "NOGOODSLAVE No suitable replica to promote"
    moved = evacuate(world)
    assert "NOGOODSLAVE" in moved.why and not world.servers["redis1"].paused
    assert world.servers["redis1"].following == ""


def test_a_replica_that_only_sentinels_reach_might_be_chosen_so_nothing_moves() -> None:
    world = World.of_three()
    driver = world.driver(sentinels=["redis1", "redis2"])
    run_virtual(driver.topology())
    world.down.add("redis3")
    (moved,) = run_virtual(driver.evacuate(ONE, [TWO], 2.0, None))
    assert "might choose 10.0.0.3:6379" in moved.why and not world.log


def test_priorities_that_were_left_changed_are_restored_before_anything_moves() -> None:
    world = World.of_three()
    world.servers["redis2"].priority = world.servers["redis3"].priority = 1_000_100
    assert "left changed" in evacuate(world).why and not world.log


def test_a_redis_that_cannot_pause_writes_is_not_moved() -> None:
    world = World.of_three()
    world.servers["redis1"].version = "6.0.16"
    assert "6.0.16 cannot pause" in evacuate(world).why and not world.log


def test_who_leads_nothing_is_left_alone() -> None:
    world = World.of_three()
    assert run_virtual(world.driver().evacuate(TWO, [], 2.0, None)) == ()
    assert not world.log


def test_back_is_another_process_in_sync() -> None:
    world = World.of_three()
    driver, two = world.driver(lag=500), world.servers["redis2"]
    before = run_virtual(driver.topology())

    def told() -> tuple[bool, int | None]:
        rejoined = run_virtual(driver.rejoined(TWO, before))
        assert rejoined.done == (not rejoined.why)
        return rejoined.done, rejoined.lag

    assert told() == (False, 0)  # the same process
    two.life, two.link, two.offset = "another", "down", 100
    assert told() == (False, 900)
    two.link = "up"
    assert told() == (False, 900)
    two.offset = 900
    assert told() == (True, 100)
    world.flags[TWO] = "s_down"
    assert told() == (False, 100)


def test_restore_needs_no_memory() -> None:
    world = World.of_three()
    world.servers["redis1"].paused = True
    world.servers["redis3"].priority = 1_000_025
    assert codes(look(world)) == {THREE: "redis-priority-changed"}
    run_virtual(world.driver().restore(ONE, None))
    assert not world.servers["redis1"].paused and world.servers["redis3"].priority == 25
    world.log.clear()
    run_virtual(world.driver().restore(TWO, None))
    assert not world.log


def test_an_old_master_is_demoted_before_it_takes_writes_again() -> None:
    world = World.of_three()
    world.servers["redis1"].paused = True
    world.master, world.servers["redis2"].following = TWO, ""
    world.servers["redis3"].following = TWO
    run_virtual(world.driver().restore(ONE, None))
    assert world.log == ["redis1 REPLICAOF 10.0.0.2 6379", "redis1 CLIENT UNPAUSE"]


@pytest.mark.parametrize("address", ["redis", "host:0", "host:70000", "http://x:1", "", "a b:1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        RedisSentinelConfig.model_validate({"master": MASTER, "address": address})


@pytest.mark.parametrize(
    "address", ["127.0.0.1:6379", "/run/redis.sock", "[::1]:6379", "{address}:1", "[{address}]:2"]
)
def test_addresses_that_are(address: str) -> None:
    assert RedisSentinelConfig.model_validate({"master": MASTER, "sentinel": address})
