"""Servers that answer nothing, when nobody knows which of them is where: why is told anyway."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.config.cluster_redis import RedisClusterConfig, RedisSentinelConfig
from gapless.drivers.clusters.redis_cluster import RedisCluster
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.base import Transport
from gapless.errors import Unreachable
from gapless.testing.virtual_time import run_virtual

from .redis_world import MASTER, Told, World

HOSTS = ("redis1", "redis2", "redis3")
FIRST = "10.0.0.1:6379"


class Shut(Told):
    """Its sentinel answers, its server does not."""

    async def exchange(self, address: str, *words: Any, **more: Any) -> bytes:
        if not address.endswith("26379"):
            raise Unreachable("refused")
        return await super().exchange(address, *words, **more)


class Gone:
    """Nobody is there."""

    async def exchange(self, *words: Any, **more: Any) -> bytes:
        raise Unreachable("no route")


def sentinel() -> RedisSentinel:
    world = World.of_three()
    config = RedisSentinelConfig.model_validate({"master": MASTER})
    return RedisSentinel(
        "cache", config, HOSTS, lambda host: cast(Transport, Shut(world, host)), LoopClock()
    )


def cluster() -> RedisCluster:
    config = RedisClusterConfig()
    return RedisCluster("cache", config, HOSTS, lambda host: cast(Transport, Gone()), LoopClock())


@pytest.mark.parametrize("made", [sentinel, cluster])
def test_each_silent_host_is_a_finding(made: Any) -> None:
    seen = run_virtual(made().topology())
    silent = [one for one in seen.findings if one.code == "redis-silent"]
    assert [one.where for one in silent] == [f"Redis on {host}" for host in HOSTS]
    assert all("does not answer" in one.what and one.evidence and one.next for one in silent)
    assert not seen.asked and refusals(seen, [FIRST])


@pytest.mark.parametrize("made", [sentinel, cluster])
def test_who_nobody_tells_of_is_not_told_to_lead_nothing(made: Any) -> None:
    (moved,) = run_virtual(made().evacuate(FIRST, [], 5.0, None))
    assert not moved.left and moved.why


def test_the_node_that_nobody_knows_is_named_with_what_each_host_said() -> None:
    (moved,) = run_virtual(cluster().evacuate("f00", [], 5.0, None))
    assert "no node that answers knows it" in moved.why
    assert all(f"{host}: Redis on {host} does not answer" in moved.why for host in HOSTS)
