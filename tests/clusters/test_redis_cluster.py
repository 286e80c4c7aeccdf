"""Redis Cluster: all six nodes restarted one by one while keys are written."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.cluster import ClusterNode
from redis.cluster import RedisCluster as Client

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.group import Kind
from gapless.config.cluster_redis import RedisClusterConfig
from gapless.drivers.clusters.redis_cluster import RedisCluster

from .redis_servers import (
    PASSWORD,
    RedisServer,
    Turned,
    back,
    healthy,
    local_transport,
    need_redis,
    transport_of,
    wait_for,
    writing,
)

pytestmark = pytest.mark.xdist_group("redis-cluster")

SECRET = "GAPLESS_TEST_REDIS"
NODES = tuple(f"redis{n}" for n in range(1, 7))
_CONFIG = f"""
requirepass {PASSWORD}
masterauth {PASSWORD}
cluster-enabled yes
cluster-node-timeout 3000
save ""
appendonly yes
repl-diskless-sync-delay 0
"""


class ClusterSite:
    """Three masters, three replicas."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = {host: RedisServer(folder / host, _CONFIG) for host in NODES}
        self.turned: dict[str, Turned] = {}

    def start(self) -> None:
        for server in self.servers.values():
            server.start()
        nodes = [f"127.0.0.1:{one.port}" for one in self.servers.values()]
        argv = ["redis-cli", "--cluster", "create", *nodes, "--cluster-replicas", "1"]
        subprocess.run(
            [*argv, "--cluster-yes"], check=True, capture_output=True, timeout=60,
            env={"REDISCLI_AUTH": PASSWORD, "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def end(self) -> None:
        for one in self.servers.values():
            one.kill()

    @asynccontextmanager
    async def driven(self) -> AsyncIterator[RedisCluster]:
        async with local_transport(self._folder / "state") as local:
            self.turned = {
                host: Turned(local, {"127.0.0.1:6379": server.port})
                for host, server in self.servers.items()
            }
            config = RedisClusterConfig.model_validate({"password": f"env:{SECRET}"})
            yield RedisCluster("cache", config, NODES, transport_of(self.turned), LoopClock())

    def connected(self) -> Any:
        nodes = [ClusterNode("127.0.0.1", one.port) for one in self.servers.values()]
        return Client(startup_nodes=nodes, password=PASSWORD, socket_timeout=5.0)

    def lost(self, keys: list[str]) -> list[str]:
        client = self.connected()
        return [key for key in keys if client.get(key) is None]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    need_redis()
    site = ClusterSite(tmp_path_factory.mktemp("nodes"))
    try:
        site.start()
        yield site
    finally:
        site.end()


@pytest.fixture
def site(servers: ClusterSite, monkeypatch: pytest.MonkeyPatch) -> ClusterSite:
    monkeypatch.setenv(SECRET, PASSWORD)
    return servers


def test_shards_and_masters_are_groups(site: ClusterSite) -> None:
    async def run() -> None:
        async with site.driven() as cluster:
            await healthy(cluster)
            seen = await cluster.topology()
            assert {one.host for one in seen.members.values()} == set(NODES)
            *shards, masters = seen.groups.values()
            assert [one.id for one in shards] == [
                "slots 0-5460", "slots 5461-10922", "slots 10923-16383"
            ]  # fmt: skip
            assert all(one.kind is Kind.PRIMARY and one.slack == 1 for one in shards)
            assert masters.kind is Kind.QUORUM and masters.slack == 1
            assert set(masters.members) == {one.leader for one in shards}
            assert await cluster.unsafe(seen, list(seen.members)) == ()

    asyncio.run(run())


def test_all_six_are_restarted_and_no_acknowledged_write_is_lost(site: ClusterSite) -> None:
    async def run() -> None:
        async with site.driven() as cluster:
            await healthy(cluster)
            first = await cluster.topology()
            moves = []
            with writing(site.connected) as writer:
                for member in first.members.values():
                    await healthy(cluster)
                    before = await cluster.topology()
                    assert refusals(before, [member.id]) == ()
                    others = [one for one in before.members if one != member.id]
                    moved = await cluster.evacuate(member.id, others, 20.0, None)
                    assert len(moved) == len(list(before.led_by(member.id)))
                    assert all(one.left for one in moved), moved
                    moves += [one.seconds for one in moved]
                    now = await cluster.topology()
                    assert not now.findings and not now.led_by(member.id)
                    site.servers[member.host].stop()
                    site.servers[member.host].start()
                    await back(cluster, member.id, before)
                    await cluster.restore(member.id, None)
                written = len(writer.acknowledged)
                wait_for(lambda: len(writer.acknowledged) > written + 20, "writes go on")
            last = await cluster.topology()
            print(f"{len(moves)} moves, the longest {max(moves):.2f} s; {writer}")
            assert last.groups.keys() == first.groups.keys()
            assert all(last.members[one].began != was.began for one, was in first.members.items())
            assert writer.failed == 0 and site.lost(writer.acknowledged) == []

    asyncio.run(run())


def test_a_master_that_would_come_back_empty_is_refused(site: ClusterSite) -> None:
    async def run() -> None:
        async with site.driven() as cluster:
            await healthy(cluster)
            seen = await cluster.topology()
            master = seen.groups["slots 0-5460"].leader
            server = site.servers[seen.members[master].host]
            server.say("CONFIG", "SET", "appendonly", "no")
            (found,) = await cluster.unsafe(seen, list(seen.members))
            server.say("CONFIG", "SET", "appendonly", "yes")
            assert found.code == "redis-unpersisted-master" and found.absolute

    asyncio.run(run())


def test_a_replica_that_is_gone_is_found_by_everybody(site: ClusterSite) -> None:
    async def run() -> None:
        async with site.driven() as cluster:
            await healthy(cluster)
            seen = await cluster.topology()
            shard = seen.groups["slots 0-5460"]
            replica = next(one for one in shard.members if one != shard.leader)
            server = site.servers[seen.members[replica].host]
            server.kill()
            now = await cluster.topology()
            codes = {one.code for one in now.findings}
            assert {"redis-silent", "redis-no-replica"} <= codes
            assert now.groups[shard.id].slack == 0 and now.on(seen.members[replica].host)
            (moved,) = await cluster.evacuate(shard.leader, [], 3.0, None)
            assert not moved.left and "no replica" in moved.why
            server.start()
            await back(cluster, replica, seen)

    asyncio.run(run())
