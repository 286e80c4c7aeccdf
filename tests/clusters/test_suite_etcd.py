"""The driver for etcd keeps what every driver of a cluster has to, with three real members."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.drivers.clusters.etcd import EtcdCluster
from tests.unit.drivers.balancers.etcd_server import packed, unpacked

from .etcd_cluster import EtcdMembers
from .suite_hosts import ServersRig, SharedSuite, standing

__all__ = ["standing"]
pytestmark = pytest.mark.xdist_group("suite-etcd")
GROUP, PREFIX = "raft", "suite/"
_LAG = 10


class EtcdRig(ServersRig):
    """Without a majority nobody leads, so none of three leads alone; and a member that answers can
    hardly be kept from following."""

    can = ServersRig.can | {"moves", "quick", "choose", "began", "write", "stranger", "lose"}
    hosts = ("etcd1", "etcd2", "etcd3")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = EtcdMembers(folder)

    def begin(self) -> None:
        self.servers.begin(len(self.hosts))

    def cluster(self) -> EtcdCluster:
        url = f"http://{{address}}:{self.servers.client_port}"
        config = EtcdClusterConfig.model_validate({"url": url, "lag": _LAG})
        return EtcdCluster(
            "keys", config, self.hosts, self.transport, LoopClock(), address=self.servers.address
        )

    async def id(self, host: str) -> str:
        return str(self.servers.id(host))

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        return {GROUP: frozenset(self.servers.leader(host) for host in self.running)}

    async def caught_up(self, host: str) -> bool:
        asked = {"key": packed(PREFIX), "range_end": packed(PREFIX + "\x7f"), "serializable": True}
        found = self.servers.call(host, "/v3/kv/range", asked).get("kvs", [])
        missing = self.written - {unpacked(one["key"]).removeprefix(PREFIX) for one in found}
        return len(missing) <= _LAG

    def put(self, key: str) -> None:
        self.servers.put(random.choice(self.running), PREFIX + key, key)

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        found = [self.servers.keys(host, PREFIX) for host in self.running]
        return [key for key in keys if any(one.get(PREFIX + key) != key for one in found)]

    async def stranger(self, group: str) -> str:
        leader = self.servers.leader(self.running[0])
        at, other = sorted(self.running, key=lambda host: self.servers.id(host) != leader)[:2]
        new = str(self.servers.id(other))
        data = {"targetID": str(int(new, 16))}
        self.servers.call(at, "/v3/maintenance/transfer-leadership", data)
        followed = partial(self._all_follow, new)
        await asyncio.to_thread(self.servers.wait, followed, "another leader")
        return new

    async def lose(self, host: str) -> None:
        other = next(one for one in self.running if one != host)
        old = self.servers.id(host)
        await self.stop(host)
        self.servers.wipe(host)
        await asyncio.to_thread(self.servers.remove, other, old)
        await asyncio.to_thread(self.servers.add, other, host)
        self.servers.start(host, self.hosts, state="existing")
        self.down.discard(host)
        await asyncio.to_thread(self.servers.wait, partial(self._answers, host), f"{host}")

    def _all_follow(self, leader: str) -> bool:
        return {self.servers.leader(host) for host in self.running} == {leader}

    def _answers(self, host: str) -> bool:
        return bool(self.servers.id(host))


class TestEtcd(SharedSuite):
    """All cases on one cluster."""

    made = EtcdRig
