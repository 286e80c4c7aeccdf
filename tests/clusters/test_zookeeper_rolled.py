"""ZooKeeper is restarted by one command, while somebody creates nodes all the time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.site import Site, Writer
from tests.clusters.zookeeper_client import Client
from tests.clusters.zookeeper_cluster import NAMES, ZooKeeperServers

pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("zookeeper-rolled")]
_BUDGET = 2.0
"""Seconds for which a client tries: what takes longer has failed."""


class ZooKeeperSite(Site):
    """Three servers; the writer goes on to the next one where its own ends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, list(NAMES))
        (folder / "data").mkdir()
        self.servers = ZooKeeperServers(folder / "data")
        self._turns = itertools.cycle(NAMES)
        self._client: Client | None = None

    def begin(self) -> None:
        for name in NAMES:
            self.begin_one(name, self.servers.argv(name))
        self.servers.wait(self.servers.well, "an ensemble")
        self.write()

    def address(self, name: str) -> str:
        return self.servers.address(name)

    def service(self) -> dict[str, Any]:
        client = f"{{address}}:{self.servers.client_port}"
        return {
            "health": {"tcp": client, "timeout": "60s"},
            "cluster": {"zookeeper": {"address": client}, "rejoin": "60s"},
        }

    def put(self, key: str) -> None:
        """Raises OSError."""
        if self._client is None:
            at = self.address(next(self._turns))
            self._client = Client(at, self.servers.client_port)
        try:
            self._client.create(f"/{key}", key)
        except OSError:
            self._client.close()
            self._client = None
            raise

    def has(self, name: str, keys: list[str]) -> bool:
        """Whether this server has all of them. Raises OSError."""
        with self.servers.client(name) as client:
            return set(keys) <= client.children("/")

    def end(self) -> None:
        with suppress(OSError):
            if self._client:
                self._client.close()
        super().end()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperSite]:
    made = ZooKeeperSite(tmp_path_factory.mktemp("site"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.mark.alone
def test_the_leader_goes_last_and_no_node_is_lost(site: ZooKeeperSite) -> None:
    before, leader = site.pids(), site.servers.leader()
    with Writer(site.put, OSError) as writer:
        told = site.run("restart", "--yes", "--reason", "test")
    print(told)
    assert len(writer.acknowledged) > 50
    for name in NAMES:
        site.servers.wait(partial(site.has, name, writer.acknowledged), f"all of them on {name}")
    assert site.order()[-1] == leader, "it goes last"
    assert all(site.pids()[name] != before[name] for name in NAMES)
    assert site.servers.well()
    print(f"{len(writer.acknowledged)} nodes, longest {writer.longest:.2f} s")
    assert writer.longest < _BUDGET, "none has failed"
