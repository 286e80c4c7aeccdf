"""Both drivers for Redis keep what every driver of a cluster has to, with real servers."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from redis import ResponseError

from gapless.clock import LoopClock
from gapless.config.cluster_redis import RedisClusterConfig, RedisSentinelConfig
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.redis_cluster import RedisCluster
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.testing.cluster_suite import PATIENCE

from .redis_sentinels import SECRET, SentinelSite
from .redis_servers import HOSTS, MASTER, PASSWORD, RedisServer, need_redis, wait_for
from .suite_hosts import WRONG, SharedRig, SharedSuite, standing
from .test_redis_cluster import NODES, ClusterSite

__all__ = ["standing"]
_LAG = 1000
_LITTLE = 10
"""Keys that are less than that."""
_FOLDER = ("nodes.conf", "appendonlydir", "dump.rdb")


class RedisRig(SharedRig):
    """What both have alike."""

    can = SharedRig.can | {"moves", "quick", "alone", "began", "write", "hold", "secret"}
    logins: ClassVar = {SECRET: PASSWORD}
    failures = (Exception,)  # of which the client has many
    settings: tuple[tuple[str, ...], ...]

    def __init__(self, folder: Path, site: Callable[[Path], Any]) -> None:
        need_redis()
        super().__init__(folder)
        self._site = site(folder)
        self._client: Any = None

    def begin(self) -> None:
        self._site.start()
        for server in self._site.servers.values():
            for words in self.settings:
                server.say("CONFIG", *words)

    def end(self) -> None:
        self._site.end()

    async def end_one(self, host: str) -> None:
        """What it copied is written down first: till then Redis forgets that it was told to end."""
        server = self._server(host)
        wait_for(lambda: not _writes(server), f"{host} has written its first file")
        server.stop()

    async def begin_one(self, host: str) -> None:
        self._server(host).start()

    async def tighten(self, host: str) -> None:
        """It is not let in by its master, and has that written down."""
        server = self._server(host)
        server.say("CONFIG", "SET", "masterauth", WRONG)
        server.say("CONFIG", "REWRITE")
        server.say("CLIENT", "KILL", "TYPE", "master")

    async def loosen(self, host: str) -> None:
        server = self._server(host)
        server.say("CONFIG", "SET", "masterauth", PASSWORD)
        server.say("CONFIG", "REWRITE")

    def put(self, key: str) -> None:
        self._client = self._client or self._site.connected()
        assert self._client.set(key, key)

    def hang_up(self) -> None:
        self._client = None

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        return list(await asyncio.to_thread(self._site.lost, list(keys)))

    async def caught_up(self, host: str) -> bool:
        own = self._server(host)
        role = own.say("ROLE")
        if role[0] == "master":
            return True
        (master,) = (one for one in self._site.servers.values() if one.port == int(role[2]))
        return int(master.say("DBSIZE")) - int(own.say("DBSIZE")) <= _LITTLE

    def _server(self, host: str) -> RedisServer:
        server: RedisServer = self._site.servers[host]
        return server


class SentinelRig(RedisRig):
    """What a stranger does to it loses writes and takes seconds: that is in the driver's own tests.
    A server that is emptied copies everything, and is the same for everybody."""

    can = RedisRig.can | {"choose"}
    hosts = HOSTS
    settings = (("REWRITE",),)  # whom it follows is not in the file of a replica yet

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SentinelSite)

    def turns(self, host: str) -> Mapping[str, str]:
        return {
            "127.0.0.1:6379": f"127.0.0.1:{self._site.servers[host].port}",
            "127.0.0.1:26379": f"127.0.0.1:{self._site.sentinels[host].port}",
        }

    def cluster(self) -> Cluster:
        keys = {"master": MASTER, "password": f"env:{SECRET}", "lag": _LAG}
        config = RedisSentinelConfig.model_validate(keys)
        return RedisSentinel("cache", config, HOSTS, self.transport, LoopClock())

    async def id(self, host: str) -> str:
        return str(self._site.id(host))

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """The servers say whom they follow; the driver asks the sentinels."""
        named = set()
        for host in self.running:
            role = self._server(host).say("ROLE")
            named.add(self._site.id(host) if role[0] == "master" else f"{role[1]}:{role[2]}")
        return {MASTER: frozenset(named)}


class ClusterRig(RedisRig):
    """Each shard has one replica, so there is nothing to choose."""

    can = RedisRig.can | {"stranger", "lose"}
    hosts = NODES
    settings = (("SET", "cluster-node-timeout", "1500"),)
    """Nobody votes for a shard again in twice this time, and cases move the same one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ClusterSite)
        self._emptied: list[str] = []

    def turns(self, host: str) -> Mapping[str, str]:
        return {"127.0.0.1:6379": f"127.0.0.1:{self._site.servers[host].port}"}

    def cluster(self) -> Cluster:
        config = RedisClusterConfig.model_validate({"password": f"env:{SECRET}", "lag": _LAG})
        return RedisCluster("cache", config, NODES, self.transport, LoopClock())

    async def mend(self) -> None:
        await super().mend()
        while self._emptied:
            host = self._emptied.pop()
            await self.stop(host)
            folder = self._server(host).folder
            for name in _FOLDER:
                _remove(folder / name)
            _move(self._kept(host), folder)
            await self.start(host)

    async def id(self, host: str) -> str:
        return str(self._server(host).say("CLUSTER", "MYID"))

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """As clients are told where slots are; the driver asks for all nodes."""
        named: dict[str, set[str]] = {}
        for host in self.running:
            for first, last, master, *_ in self._server(host).say("CLUSTER", "SLOTS"):
                named.setdefault(f"slots {first}-{last}", set()).add(master[2])
        return {shard: frozenset(masters) for shard, masters in named.items()}

    async def stranger(self, group: str) -> str:
        """Said again when it was not voted for: nobody votes twice for a shard in a short time."""
        (old,) = (await self.leaders())[group]
        host = next(one for one in self.running if self._follows(one) == old)
        new, until = await self.id(host), time.monotonic() + PATIENCE
        while (await self.leaders()).get(group) != {new}:
            assert time.monotonic() < until, f"{new} does not take {group} over"
            with suppress(ResponseError):  # it is the master already
                self._server(host).say("CLUSTER", "FAILOVER")
            await asyncio.sleep(0.3)
        return new

    def _follows(self, host: str) -> str:
        """The node id of its master, "" for a master."""
        for line in str(self._server(host).say("CLUSTER", "NODES")).splitlines():
            words = line.split()
            if "myself" in words[2] and words[3] != "-":
                return words[3]
        return ""

    async def lose(self, host: str) -> None:
        await self.stop(host)
        _move(self._server(host).folder, self._kept(host))
        self._emptied.append(host)
        await self.start(host)

    def _kept(self, host: str) -> Path:
        kept = self.folder / f"kept-{host}"
        kept.mkdir(exist_ok=True)
        return kept


def _writes(server: RedisServer) -> bool:
    told = server.say("INFO", "persistence")
    return bool(int(told["aof_rewrite_in_progress"]) or int(told["aof_rewrite_scheduled"]))


def _move(source: Path, target: Path) -> None:
    for name in _FOLDER:
        if (source / name).exists():
            (source / name).rename(target / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.xdist_group("suite-redis-sentinel")
class TestSentinel(SharedSuite):
    """All cases on three servers and their sentinels."""

    made = SentinelRig


@pytest.mark.xdist_group("suite-redis-cluster")
class TestCluster(SharedSuite):
    """All cases on three masters and their replicas."""

    made = ClusterRig
