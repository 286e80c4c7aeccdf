"""Three Redis servers and their three sentinels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from gapless.clock import LoopClock
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.local import LocalTransport

from .redis_servers import (
    HOSTS,
    MASTER,
    PASSWORD,
    RedisServer,
    Turned,
    local_transport,
    transport_of,
    wait_for,
)

SECRET = "GAPLESS_TEST_REDIS"
_SERVER = f"""
requirepass {PASSWORD}
masterauth {PASSWORD}
save ""
appendonly yes
repl-diskless-sync-delay 0
repl-ping-replica-period 1
"""


class SentinelSite:
    """One server and one sentinel a host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = {host: RedisServer(folder / host, _SERVER) for host in HOSTS}
        self.sentinels: dict[str, RedisServer] = {}
        self.turned: dict[str, Turned] = {}
        self.local: LocalTransport | None = None

    def start(self) -> None:
        """Return when everybody has found everybody."""
        for server in self.servers.values():
            server.start()
        first, *others = self.servers.values()
        for other in others:
            other.say("REPLICAOF", "127.0.0.1", str(first.port))
        wait_for(lambda: first.say("INFO", "replication")["connected_slaves"] == 2, "replicas")
        for host in HOSTS:
            watched = f"""
sentinel monitor {MASTER} 127.0.0.1 {first.port} 2
sentinel down-after-milliseconds {MASTER} 1500
sentinel failover-timeout {MASTER} 20000
sentinel auth-pass {MASTER} {PASSWORD}
"""
            one = RedisServer(self._folder / f"sentinel-{host}", watched, "--sentinel")
            self.sentinels[host] = one
            one.start()

    def end(self) -> None:
        for one in (*self.sentinels.values(), *self.servers.values()):
            one.kill()

    @asynccontextmanager
    async def driven(self, **changed: Any) -> AsyncIterator[RedisSentinel]:
        """The driver, with a real helper between it and the servers."""
        async with local_transport(self._folder / "state") as self.local:
            self.turned = {
                host: Turned(
                    self.local,
                    {
                        "127.0.0.1:6379": self.servers[host].port,
                        "127.0.0.1:26379": self.sentinels[host].port,
                    },
                )
                for host in HOSTS
            }
            yield self.driver(**changed)

    def driver(self, **changed: Any) -> RedisSentinel:
        """Another one of the same servers."""
        keys = {"master": MASTER, "password": f"env:{SECRET}", **changed}
        config = RedisSentinelConfig.model_validate(keys)
        clock = LoopClock()
        return RedisSentinel("cache", config, HOSTS, transport_of(self.turned), clock)

    def id(self, host: str) -> str:
        return f"127.0.0.1:{self.servers[host].port}"

    def host(self, member: str) -> str:
        return next(host for host in HOSTS if self.id(host) == member)

    def connected(self) -> redis.Redis:
        """As clients do it: to whom the first sentinel that answers names."""
        for sentinel in self.sentinels.values():
            with suppress(redis.RedisError):
                _, port = sentinel.say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
                found = next(one for one in self.servers.values() if one.port == int(port))
                return found.client()
        raise redis.ConnectionError("no sentinel answers")

    def lost(self, keys: list[str]) -> list[str]:
        """Those of them that the master does not have."""
        with self.connected() as client:
            assert client.role()[0] == "master"
            return [key for key, value in zip(keys, client.mget(keys), strict=True) if not value]
