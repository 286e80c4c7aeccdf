"""Redis with its sentinels is restarted by one command, while somebody writes all the time."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster

from tests.clusters.redis_servers import MASTER, PROGRAM, need_redis, wait_for
from tests.clusters.site import Site, Writer

pytestmark = pytest.mark.timeout(170)
_PORT, _SENTINEL = 6379, 26379
_CLUSTER = (
    "protected-mode no\nsave ''\nappendonly yes\ncluster-enabled yes\ncluster-node-timeout 3000\n"
)
_SERVER = "protected-mode no\nsave ''\nappendonly yes\nrepl-diskless-sync-delay 0\n"


class RedisSite(Site):
    """Servers at addresses of their own."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(folder, [f"redis{number}" for number in range(1, count + 1)])
        self._net = f"127.{random.randint(1, 254)}.{random.randint(2, 254)}"

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('redis')[0]}"

    def config(self, name: str, port: int, text: str) -> str:
        """The file of a server, in a folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "redis.conf").write_text(
            f"bind {self.address(name)}\nport {port}\ndir {folder}\n{text}"
        )
        return str(folder / "redis.conf")

    def client(self, address: str, port: int) -> redis.Redis:
        """To one of them."""
        return redis.Redis(
            host=address, port=port, socket_timeout=3.0, decode_responses=True, retry=None,
            protocol=2, legacy_responses=True,
        )  # fmt: skip


class SentinelSite(RedisSite):
    """Three servers and their sentinels; the first is the master."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 3)

    def begin(self) -> None:
        """Everybody has found everybody."""
        need_redis()
        assert PROGRAM
        first = self.address("redis1")
        for name in self.names:
            follows = "" if name == "redis1" else f"replicaof {first} {_PORT}\n"
            # connections begin at 127.0.0.1, whatever one listens at
            follows += f"replica-announce-ip {self.address(name)}\n"
            self.begin_one(name, [PROGRAM, self.config(name, _PORT, _SERVER + follows)])
        for name in self.names:
            watched = (
                f"sentinel monitor {MASTER} {first} {_PORT} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 1500\n"
                f"sentinel announce-ip {self.address(name)}\n"
            )
            file = self.config(f"{name}-sentinel", _SENTINEL, watched)
            self.begin_one(f"{name}-sentinel", [PROGRAM, file, "--sentinel"])
        wait_for(lambda: self._info(first)["connected_slaves"] == 2, "replicas")
        wait_for(self._watched, "sentinels that know each other and the replicas")
        self.write()

    def service(self) -> dict[str, Any]:
        server, sentinel = f"{{address}}:{_PORT}", f"{{address}}:{_SENTINEL}"
        return {
            "health": {"tcp": server, "timeout": "20s"},
            "cluster": {
                "redis_sentinel": {"master": MASTER, "address": server, "sentinel": sentinel}
            },
        }

    def master(self) -> str:
        """Whom the sentinels name."""
        for name in self.names:
            with suppress(redis.RedisError), self.client(self.address(name), _SENTINEL) as asked:
                host, _ = asked.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
                return str(host)
        raise redis.ConnectionError("no sentinel answers")

    def put(self, key: str) -> None:
        """Raises RedisError."""
        with self.client(self.master(), _PORT) as client:
            client.set(key, key)

    def lost(self, keys: list[str]) -> list[str]:
        """Those that the master does not have."""
        with self.client(self.master(), _PORT) as client:
            return [key for key, value in zip(keys, client.mget(keys), strict=True) if not value]

    def _info(self, address: str) -> dict[str, Any]:
        with suppress(redis.RedisError), self.client(address, _PORT) as client:
            found: dict[str, Any] = client.info("replication")
            return found
        return {"connected_slaves": 0}

    def _watched(self) -> bool:
        for name in self.names:
            with self.client(self.address(name), _SENTINEL) as client:
                said = client.execute_command("SENTINEL", "MASTER", MASTER)
                told = said if isinstance(said, dict) else _pairs(said)
                if (int(told["num-slaves"]), int(told["num-other-sentinels"])) != (2, 2):
                    return False
        return True


def _pairs(said: list[str]) -> dict[str, str]:
    return dict(zip(said[::2], said[1::2], strict=True))


class ClusterSite(RedisSite):
    """Three masters with a replica each."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 6)

    def begin(self) -> None:
        """All slots are covered, and all know it."""
        need_redis()
        assert PROGRAM
        for name in self.names:
            text = f"{_CLUSTER}cluster-announce-ip {self.address(name)}\n"
            self.begin_one(name, [PROGRAM, self.config(name, _PORT, text)])
        for name in self.names:
            wait_for(partial(self._answers, name), f"{name} answers")
        nodes = [f"{self.address(name)}:{_PORT}" for name in self.names]
        argv = ["redis-cli", "--cluster", "create", *nodes, "--cluster-replicas", "1"]
        subprocess.run([*argv, "--cluster-yes"], check=True, capture_output=True, timeout=60)
        wait_for(
            lambda: all(
                "cluster_state:ok" in str(self._said(n, "CLUSTER", "INFO")) for n in self.names
            ),
            "a cluster",
        )
        wait_for(self._linked, "replicas that follow")
        self.connected = self._connected()
        self.write()

    def service(self) -> dict[str, Any]:
        server = f"{{address}}:{_PORT}"
        return {
            "health": {"tcp": server, "timeout": "20s"},
            "cluster": {"redis_cluster": {"address": server}},
        }

    def put(self, key: str) -> None:
        """Raises RedisError."""
        self.connected.set(key, key)

    def lost(self, keys: list[str]) -> list[str]:
        """Those that are not there."""
        return [key for key in keys if self.connected.get(key) is None]

    def _connected(self) -> Any:
        nodes = [ClusterNode(self.address(name), _PORT) for name in self.names]
        return RedisCluster(startup_nodes=nodes, socket_timeout=5.0)

    def _linked(self) -> bool:
        roles = [self._said(name, "ROLE") for name in self.names]
        replicas = [role for role in roles if role and role[0] == "slave"]
        return len(replicas) == 3 and all(role[3] == "connected" for role in replicas)

    def _answers(self, name: str) -> bool:
        return bool(self._said(name, "PING"))

    def _said(self, name: str, *words: str) -> Any:
        with suppress(redis.RedisError), self.client(self.address(name), _PORT) as client:
            return client.execute_command(*words)
        return None


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SentinelSite | ClusterSite]:
    made = request.param(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("site", [SentinelSite, ClusterSite], indirect=True)
def test_masters_go_last_and_no_write_is_lost(site: SentinelSite | ClusterSite) -> None:
    before = site.pids()
    with Writer(site.put, redis.RedisError) as writer:
        site.run("restart", "--yes", "--reason", "test")
    assert not site.lost(writer.acknowledged)
    assert len(writer.acknowledged) > 50
    masters = {"redis1"} if isinstance(site, SentinelSite) else {"redis1", "redis2", "redis3"}
    assert set(site.order()[-len(masters) :]) == masters
    assert all(site.pids()[name] != before[name] for name in site.names)
    print(f"{len(writer.acknowledged)} writes, longest {writer.longest:.2f} s")
