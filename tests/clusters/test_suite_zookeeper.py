"""The driver for ZooKeeper keeps what every driver of a cluster has to, with three real servers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_zookeeper import ZooKeeperConfig
from gapless.drivers.clusters.zookeeper import ZooKeeper

from .suite_hosts import ServersRig, SharedSuite, standing
from .zookeeper_client import Client
from .zookeeper_cluster import NAMES, ZooKeeperServers

__all__ = ["standing"]
pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("suite-zookeeper")]
GROUP = "ensemble"
_LAG = 10


class ZooKeeperRig(ServersRig):
    """Nobody can tell its leader to hand over. A server without its folder has no identity, and
    does not start."""

    can = ServersRig.can | {"began", "write", "hold"}
    hosts = NAMES

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = ZooKeeperServers(folder)
        self._client: Client | None = None

    def cluster(self) -> ZooKeeper:
        address = f"{{address}}:{self.servers.client_port}"
        config = ZooKeeperConfig.model_validate({"address": address, "lag": _LAG})
        return ZooKeeper(
            "locks", config, self.hosts, self.transport, LoopClock(), address=self.servers.address
        )

    async def id(self, host: str) -> str:
        return str(self.servers.say(host, "conf")["serverId"])

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """Who says that it leads: those that follow tell nobody's name."""
        return {GROUP: frozenset([await self.id(host) for host in self._leading()])}

    async def caught_up(self, host: str) -> bool:
        return len(self.written - self._there(host)) <= _LAG

    async def tighten(self, host: str) -> None:
        """From its next start on it finds none of the others, nor they it."""
        self.servers.configure(host, alone=True)

    async def loosen(self, host: str) -> None:
        self.servers.configure(host)
        await self.restart(host)

    def put(self, key: str) -> None:
        """By any server, and the same one as long as it is there."""
        if self._client is None:
            name = random.choice(self.running)
            self._client = Client(self.servers.address(name), self.servers.client_port)
        self._client.create(f"/{key}", key)

    def hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        """By the leader's word: a follower may not have heard of the last yet."""
        (leader,) = self._leading()
        there = self._there(leader)
        return [key for key in keys if key not in there]

    def _leading(self) -> list[str]:
        told = []
        for host in self.running:
            with suppress(OSError):
                if self.servers.say(host, "srvr").get("Mode") == "leader":
                    told.append(host)
        return told

    def _there(self, host: str) -> set[str]:
        with self.servers.client(host) as client:
            return set(client.children("/"))


class TestZooKeeper(SharedSuite):
    """All cases on one cluster."""

    made = ZooKeeperRig
