"""The driver for clusters that tell over HTTP who leads what keeps what every driver of a cluster
has to, with nodes that have Chronik's endpoints and its stages."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_http import ChronikConfig
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.http_cluster import Chronik

from .chronik_cluster import ChronikCluster, ChronikNode
from .minichronik.client import Client, Lost, committed
from .suite_hosts import SharedRig, SharedSuite, standing

__all__ = ["standing"]
pytestmark = pytest.mark.xdist_group("suite-chronik")
PARTITIONS = [f"test-topic-{number}" for number in range(3)]
SECRET, KEY = "GAPLESS_TEST_CHRONIK", "open-sesame"
_LITTLE = 10
"""Values that the last answer of the leader was without."""


class ChronikRig(SharedRig):
    """``/health`` tells nothing that names the process, so a restart is seen by whoever did it; the
    node's id is told to it when it is started, so it keeps that without its folder, too."""

    can = SharedRig.can | {"moves", "quick", "choose", "alone", "write", "stranger"}
    hosts = ("node1", "node2", "node3")
    logins: ClassVar = {SECRET: KEY}
    failures = (Lost,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._nodes = ChronikCluster(folder)
        self._turns = itertools.cycle(PARTITIONS)

    def begin(self) -> None:
        self._nodes.start()

    def end(self) -> None:
        self._nodes.end()

    def turns(self, host: str) -> Mapping[str, str]:
        return {"127.0.0.1:3000": self._node(host).address}

    def cluster(self) -> Cluster:
        keys = {
            "transfer": {"path": "/partitions/{group}/transfer?to={to}"},
            "canary": {"path": "/produce/{group}", "body": "canary"},
            "key": f"env:{SECRET}",
        }
        config = ChronikConfig.model_validate(keys)
        return Chronik("stream", config, self.hosts, self.transport, LoopClock())

    async def id(self, host: str) -> str:
        return str(self._node(host).number)

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """By what the real server tells; the driver asks for the document's endpoints."""
        named: dict[str, set[str]] = {}
        for host in self.running:
            for one in self._node(host).get("/admin/status")["partitions"]:
                name = f"{one['topic']}-{one['partition']}"
                named.setdefault(name, set()).add(str(one["leader"] or ""))
        return {name: frozenset(leaders) for name, leaders in named.items()}

    async def caught_up(self, host: str) -> bool:
        there = {one for name in PARTITIONS for one in committed(self._node(host).url, name)}
        return len(self.written - there) <= _LITTLE

    async def end_one(self, host: str) -> None:
        await asyncio.to_thread(self._node(host).stop)

    async def begin_one(self, host: str) -> None:
        self._node(host).start()

    def put(self, key: str) -> None:
        Client([self._node(host).url for host in self.running]).produce(next(self._turns), key)

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        there: set[str] = set()
        for name in PARTITIONS:
            there |= set(committed(self._nodes.leader(name).url, name))
        return [key for key in keys if key not in there]

    async def stranger(self, group: str) -> str:
        leader = self._nodes.leader(group)
        target = leader.number % len(self.hosts) + 1
        await asyncio.to_thread(self._nodes.move, group, target)
        return str(target)

    def _node(self, host: str) -> ChronikNode:
        return self._nodes.nodes[int(host.removeprefix("node"))]


class TestChronik(SharedSuite):
    """All cases on one cluster."""

    made = ChronikRig
