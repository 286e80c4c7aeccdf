"""Redis with its sentinels is restarted by one command, while somebody writes all the time."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.clusters.redis_servers import MASTER, PROGRAM, need_redis, wait_for
from tests.clusters.site import Site

pytestmark = pytest.mark.timeout(170)
_PORT, _SENTINEL = 6379, 26379
_SERVER = "protected-mode no\nsave ''\nappendonly yes\nrepl-diskless-sync-delay 0\n"


class SentinelSite(Site):
    """Three servers and their sentinels, at addresses of their own; the first is the master."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["redis1", "redis2", "redis3"])
        self._net = f"127.{random.randint(1, 254)}.{random.randint(2, 254)}"

    def begin(self) -> None:
        """Everybody has found everybody."""
        need_redis()
        assert PROGRAM
        first = self.address("redis1")
        for name in self.names:
            follows = "" if name == "redis1" else f"replicaof {first} {_PORT}\n"
            # connections begin at 127.0.0.1, whatever one listens at
            follows += f"replica-announce-ip {self.address(name)}\n"
            self.begin_one(name, [PROGRAM, self._config(name, _PORT, _SERVER + follows)])
        for name in self.names:
            watched = (
                f"sentinel monitor {MASTER} {first} {_PORT} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 1500\n"
                f"sentinel announce-ip {self.address(name)}\n"
            )
            file = self._config(f"{name}-sentinel", _SENTINEL, watched, name)
            self.begin_one(f"{name}-sentinel", [PROGRAM, file, "--sentinel"])
        wait_for(lambda: self._info(first)["connected_slaves"] == 2, "replicas")
        wait_for(self._watched, "sentinels that know each other and the replicas")
        self.write()

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('redis')[0]}"

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
            with suppress(redis.RedisError), self._client(self.address(name), _SENTINEL) as asked:
                host, _ = asked.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
                return str(host)
        raise redis.ConnectionError("no sentinel answers")

    def put(self, key: str) -> None:
        """Raises RedisError."""
        with self._client(self.master(), _PORT) as client:
            client.set(key, key)

    def lost(self, keys: list[str]) -> list[str]:
        """Those that the master does not have."""
        with self._client(self.master(), _PORT) as client:
            return [key for key, value in zip(keys, client.mget(keys), strict=True) if not value]

    def _config(self, name: str, port: int, text: str, host: str = "") -> str:
        folder = self.folder / name
        folder.mkdir()
        address = self.address(host or name)
        (folder / "redis.conf").write_text(f"bind {address}\nport {port}\ndir {folder}\n{text}")
        return str(folder / "redis.conf")

    def _client(self, address: str, port: int) -> redis.Redis:
        return redis.Redis(
            host=address, port=port, socket_timeout=3.0, decode_responses=True, retry=None,
            protocol=2, legacy_responses=True,
        )  # fmt: skip

    def _info(self, address: str) -> dict[str, Any]:
        with suppress(redis.RedisError), self._client(address, _PORT) as client:
            found: dict[str, Any] = client.info("replication")
            return found
        return {"connected_slaves": 0}

    def _watched(self) -> bool:
        for name in self.names:
            with self._client(self.address(name), _SENTINEL) as client:
                said = client.execute_command("SENTINEL", "MASTER", MASTER)
                told = said if isinstance(said, dict) else _pairs(said)
                if (int(told["num-slaves"]), int(told["num-other-sentinels"])) != (2, 2):
                    return False
        return True


def _pairs(said: list[str]) -> dict[str, str]:
    return dict(zip(said[::2], said[1::2], strict=True))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SentinelSite]:
    made = SentinelSite(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_the_master_goes_last_and_no_write_is_lost(site: SentinelSite) -> None:
    before, ended = site.pids(), threading.Event()
    acknowledged: list[str] = []
    stalls = [0.0]

    def write() -> None:
        for number in itertools.count():
            began = time.monotonic()
            while not ended.is_set():
                with suppress(redis.RedisError):
                    site.put(f"n{number}")
                    acknowledged.append(f"n{number}")
                    stalls.append(time.monotonic() - began)
                    break
                time.sleep(0.01)
            if ended.wait(0.02):
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        site.run("restart", "--yes", "--reason", "test")
    finally:
        ended.set()
        writer.join()
    print(f"{len(acknowledged)} writes, longest {max(stalls):.2f} s")
    assert not site.lost(acknowledged)
    assert len(acknowledged) > 50
    assert site.order()[-1] == "redis1"
    assert all(site.pids()[name] != before[name] for name in site.names)
