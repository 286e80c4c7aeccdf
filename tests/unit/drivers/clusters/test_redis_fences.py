"""Hosts count their rollouts apart: the fence of the master's host is compared on that host alone,
and before anything is ordered on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused
from gapless.model import Fence
from gapless.testing.virtual_time import run_virtual

from .redis_world import MASTER, Told, World

FENCE = Fence("cache", "r1", 7)
FIRST, SECOND = "10.0.0.1:6379", "10.0.0.2:6379"


class Fenced(Told):
    """Notes where a fence was given; ``obeys`` says whether it is the newest."""

    def __init__(self, world: World, host: str, given: list[str], obeys: bool) -> None:
        super().__init__(world, host)
        self._given, self._at, self._obeys = given, host, obeys

    async def exchange(
        self, address: str, data: bytes, timeout: float = 10.0, fence: Fence | None = None,
        tls: Any = None,
    ) -> bytes:  # fmt: skip
        if fence is not None:
            assert fence == FENCE
            self._given.append(self._at)
            if not self._obeys:
                raise FenceRefused("it is not the newest", where=self._at)
        return await super().exchange(address, data, timeout, fence, tls)


def driver(world: World, given: list[str], *, obeys: bool = True) -> RedisSentinel:
    def transports(host: str) -> Transport:
        return cast(Transport, Fenced(world, host, given, obeys))

    config = RedisSentinelConfig.model_validate({"master": MASTER})
    reached: Callable[[str], Transport] = transports
    return RedisSentinel("cache", config, tuple(world.servers), reached, LoopClock())


@pytest.mark.parametrize("targets", [[], [SECOND]], ids=["any", "one, so the other is shunned"])
def test_a_move_gives_the_fence_to_the_host_of_the_master_alone(targets: list[str]) -> None:
    world, given = World.of_three(), list[str]()
    (moved,) = run_virtual(driver(world, given).evacuate(FIRST, targets, 60.0, FENCE))
    assert moved.left and set(given) == {"redis1"}
    shunned = any(order.startswith("redis3 CONFIG SET") for order in world.log)
    assert shunned is bool(targets), world.log


def test_an_old_fence_is_refused_before_anything_is_ordered() -> None:
    world, given = World.of_three(), list[str]()
    with pytest.raises(FenceRefused):
        run_virtual(driver(world, given, obeys=False).evacuate(FIRST, [SECOND], 60.0, FENCE))
    assert given == ["redis1"] and not world.log


def test_what_is_restored_on_others_needs_the_fence_of_its_own_host() -> None:
    world, given = World.of_three(), list[str]()
    world.servers["redis3"].priority = 1_000_100
    run_virtual(driver(world, given).restore(FIRST, FENCE))
    assert set(given) == {"redis1"} and world.servers["redis3"].priority == 100
    world.servers["redis3"].priority = 1_000_100
    with pytest.raises(FenceRefused):
        run_virtual(driver(world, given, obeys=False).restore(SECOND, FENCE))
    assert world.servers["redis3"].priority == 1_000_100
