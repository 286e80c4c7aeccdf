"""The driver for etcd keeps what every driver of a cluster has to, with three real members."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.drivers.clusters.etcd import EtcdCluster
from gapless.testing.cluster_suite import Unwritten
from tests.unit.drivers.balancers.etcd_server import packed, unpacked

from .etcd_cluster import EtcdMembers
from .suite_hosts import SharedRig, SharedSuite, Standing, begun

pytestmark = pytest.mark.xdist_group("suite-etcd")
GROUP, PREFIX = "raft", "suite/"
_LAG = 10


class EtcdRig(SharedRig):
    """Without a majority nobody leads, so none of three leads alone; and a member that answers can
    hardly be kept from following."""

    can = frozenset({"choose", "began", "write", "silence", "stranger", "lose", "fence"})
    hosts = ("etcd1", "etcd2", "etcd3")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._members = EtcdMembers(folder)
        self._written: list[str] = []

    def begin(self) -> None:
        self._members.begin(len(self.hosts))

    def end(self) -> None:
        self._members.end()

    def cluster(self) -> EtcdCluster:
        url = f"http://{{address}}:{self._members.client_port}"
        config = EtcdClusterConfig.model_validate({"url": url, "lag": _LAG})
        return EtcdCluster(
            "keys", config, self.hosts, self.transport, LoopClock(), address=self._members.address
        )

    async def id(self, host: str) -> str:
        return self._members.id(host)

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        return {GROUP: frozenset(self._members.leader(host) for host in self.running)}

    async def caught_up(self, host: str) -> bool:
        asked = {"key": packed(PREFIX), "range_end": packed(PREFIX + "\x7f"), "serializable": True}
        found = self._members.call(host, "/v3/kv/range", asked).get("kvs", [])
        missing = set(self._written) - {unpacked(one["key"]) for one in found}
        return len(missing) <= _LAG

    async def end_one(self, host: str) -> None:
        await asyncio.to_thread(self._members.stop, host)

    async def begin_one(self, host: str) -> None:
        self._members.start(host)

    async def write(self, key: str) -> None:
        host = random.choice(self.running)
        try:
            await asyncio.to_thread(self._members.put, host, PREFIX + key, key)
        except OSError as error:
            raise Unwritten(str(error)) from error
        self._written.append(PREFIX + key)

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        found = [self._members.keys(host, PREFIX) for host in self.running]
        return [key for key in keys if any(one.get(PREFIX + key) != key for one in found)]

    async def stranger(self, group: str) -> str:
        leader = self._members.leader(self.running[0])
        at, other = sorted(self.running, key=lambda host: self._members.id(host) != leader)[:2]
        new = self._members.id(other)
        data = {"targetID": str(int(new, 16))}
        self._members.call(at, "/v3/maintenance/transfer-leadership", data)
        followed = partial(self._all_follow, new)
        await asyncio.to_thread(self._members.wait, followed, "another leader")
        return new

    async def lose(self, host: str) -> None:
        other = next(one for one in self.running if one != host)
        old = self._members.id(host)
        await self.stop(host)
        self._members.wipe(host)
        await asyncio.to_thread(self._members.remove, other, old)
        await asyncio.to_thread(self._members.add, other, host)
        self._members.start(host, self.hosts, state="existing")
        self.down.discard(host)
        await asyncio.to_thread(self._members.wait, partial(self._answers, host), f"{host}")

    def _all_follow(self, leader: str) -> bool:
        return {self._members.leader(host) for host in self.running} == {leader}

    def _answers(self, host: str) -> bool:
        return bool(self._members.id(host))


@pytest.fixture(scope="module", name="standing")
def _standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with begun(EtcdRig(tmp_path_factory.mktemp("etcd"))) as found:
        yield found


class TestEtcd(SharedSuite):
    """All cases on one cluster."""
