"""What goes wrong while real Redis servers with Sentinel, or those of Redis Cluster, are restarted:
no second member is touched, and what was acknowledged is there.

Sentinels that fail over lose what is written meanwhile, by themselves (see test_redis_sentinel):
where somebody has them do so nobody writes. Of Redis Cluster there is only what differs: who has
lost nodes.conf is another node, and a shard moves by hand without a loss. Left out, for the driver
has no part in it (see etcd): another member that is stopped by hand is silent, as one cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.clusters import breaking, faults
from tests.clusters.faults import FaultySite
from tests.clusters.redis_servers import MASTER, PROGRAM, wait_for
from tests.clusters.test_redis_rolled import (
    _PORT,
    _SENTINEL,
    ClusterSite,
    RedisSite,
    SentinelSite,
)

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("clusters-faults-redis")]
_SMALL = "redis3"
"""Whose disk can be filled."""
_LAG = 50_000


class FaultyRedis(RedisSite, FaultySite):
    """Servers that have their data and their configuration apart."""

    FAILURES = redis.RedisError
    RATE = 25.0

    def config(self, name: str, port: int, text: str) -> str:
        data = self.data(name)
        data.mkdir()
        return super().config(name, port, f"{text}dir {data}\n")

    def begins(self, name: str) -> list[str]:
        assert PROGRAM
        return [PROGRAM, str(self.folder / name / "redis.conf")]

    def data(self, name: str) -> Path:
        return self.folder / f"{name}-data"

    def told(self, rejoin: str, timeout: str = "1s") -> None:
        """How long it may take."""
        service = self.service()
        ((kind, keys),) = service["cluster"].items()
        self.settings = {
            "health": {**service["health"], "timeout": "3s"},
            "cluster": {
                kind: {**keys, "timeout": timeout, "lag": _LAG},
                "rejoin": rejoin,
                "transfer": "5s",
            },
        }

    def said(self, name: str, *words: str) -> Any:
        """By the server there. Raises RedisError."""
        with self.client(self.address(name), _PORT) as client:
            return client.execute_command(*words)


class FaultySentinels(FaultyRedis, SentinelSite):
    """The master, two replicas, and three sentinels; one has a small disk of its own, where such a
    thing can be had."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._disk = ExitStack()
        self.disk = folder / "disk"
        self.has_disk = self._disk.enter_context(breaking.small_disk(self.disk, 8))
        self.told("4s")

    def end(self) -> None:
        super().end()
        self._disk.close()

    def data(self, name: str) -> Path:
        return self.disk / "data" if name == _SMALL and self.has_disk else super().data(name)

    def leader(self) -> str:
        found = self.master()
        return next(name for name in self.names if self.address(name) == found)

    def settled(self) -> None:
        wait_for(self._well, "a healthy cluster", 40)

    def _well(self) -> bool:
        with suppress(redis.RedisError, KeyError, StopIteration):
            leader = self.leader()
            lines = [self._info(self.address(leader))[f"slave{n}"]["state"] for n in (0, 1)]
            return lines == ["online", "online"] and self._watched() and not self._down()
        return False

    def _down(self) -> bool:
        """Whether a sentinel holds one for dead."""
        told = []
        for name in self.names:
            with self.client(self.address(name), _SENTINEL) as asked:
                told.append(asked.execute_command("SENTINEL", "MASTER", MASTER))
                told.append(asked.execute_command("SENTINEL", "REPLICAS", MASTER))
                told.append(asked.execute_command("SENTINEL", "SENTINELS", MASTER))
        return "s_down" in str(told)

    def is_full(self, name: str) -> bool:
        """Whether it leads, or has all that its master has."""
        told = self._info(self.address(name))
        return told.get("role") == "master" or told.get("master_link_status") == "up"

    @contextmanager
    def nobody_follows(self) -> Iterator[None]:
        """The master lets no replica in, and would come back empty."""
        leader = self.leader()
        self.said(leader, "ACL", "SETUSER", "default", "-psync", "-sync")
        self.said(leader, "CONFIG", "SET", "appendonly", "no")
        self.said(leader, "CLIENT", "KILL", "TYPE", "replica")
        try:
            yield
        finally:
            self.said(leader, "ACL", "SETUSER", "default", "+@all")
            self.said(leader, "CONFIG", "SET", "appendonly", "yes")

    @contextmanager
    def stream_cut(self, name: str) -> Iterator[None]:
        """Nothing of what it follows comes to it, and its link is there all the same."""
        leader = self.leader()
        link = self.said(name, "CLIENT", "LIST", "TYPE", "master")
        (port,) = re.findall(r" laddr=\S+:(\d+)", link)
        rule = ("-p", "tcp", "-s", self.address(leader), "--sport", str(_PORT), "--dport", port)
        with breaking.dropped(rule):
            self.said(leader, "SET", "big", "x" * 2 * _LAG)
            yield
        # a link made anew: what was dropped is sent again after longer and longer pauses
        self.said(name, "CLIENT", "KILL", "TYPE", "master")

    @contextmanager
    def disk_full(self, name: str) -> Iterator[None]:
        """It cannot write down what it gets."""
        assert name == _SMALL
        with breaking.full(self.disk):
            self.said(self.leader(), "SET", "big", "x" * 100_000)  # the end of its file has room
            yield

    def fail_over(self) -> None:
        """By hand: sentinels choose another master, and make the old one a replica."""
        old = self.leader()
        with self.client(self.address(old), _SENTINEL) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
        wait_for(lambda: self.leader() != old and self._follows(old), "moved", 60)

    @contextmanager
    def chosen(self, name: str) -> Iterator[None]:
        """Sentinels take it, whoever else there is."""
        self._prefer(name, 1)
        try:
            yield
        finally:
            self._prefer(name, 100)

    def _prefer(self, name: str, priority: int) -> None:
        self.said(name, "CONFIG", "SET", "replica-priority", priority)
        self.said(name, "CONFIG", "REWRITE")
        for period in (100, 10_000):  # else they hear of it after ten seconds
            for sentinel in self.names:
                with self.client(self.address(sentinel), _SENTINEL) as asked:
                    asked.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", period)
            wait_for(lambda: self._heard(name, priority), f"priority {priority} is heard of")

    def _heard(self, name: str, priority: int) -> bool:
        """By all sentinels, where it is a replica."""
        told = []
        for sentinel in self.names:
            with self.client(self.address(sentinel), _SENTINEL) as asked:
                replicas = asked.sentinel_slaves(MASTER)
                told += [one for one in replicas if one["ip"] == self.address(name)]
        return {one["slave-priority"] for one in told} <= {priority}

    def _follows(self, name: str) -> bool:
        """Whether it is a replica; sentinels cut its clients off when they make it one."""
        with suppress(redis.RedisError):
            return bool(self.said(name, "ROLE")[0] == "slave")
        return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySentinels]:
    made = FaultySentinels(tmp_path_factory.mktemp("faults"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def site(cluster: FaultySentinels) -> FaultySentinels:
    """All of it well, whatever the test before did."""
    cluster.told("4s")
    cluster.mended()
    return cluster


def test_a_member_that_does_not_come_back_is_the_last_that_is_touched(
    site: FaultySentinels,
) -> None:
    faults.stays_away(site)


def test_no_replica_is_in_sync_at_the_start_and_the_master_keeps_nothing(
    site: FaultySentinels,
) -> None:
    """It would come back empty, and as the master."""
    with site.nobody_follows():
        codes = ("not-in-sync", "nobody-takes-over", "redis-unpersisted-master")
        faults.refused_at_the_start(site, *codes)


def test_a_replica_that_is_cut_off_in_the_middle(site: FaultySentinels) -> None:
    site.told("2s", timeout="500ms")
    site.write()
    faults.cut_off_in_the_middle(site)


def test_replicas_that_lag_in_the_middle(site: FaultySentinels) -> None:
    breaking.need_filter()
    site.told("8s")
    site.write()
    faults.lags_in_the_middle(site, site.stream_cut, site.is_full)


def test_a_replica_whose_disk_is_full_in_the_middle(site: FaultySentinels) -> None:
    if not site.has_disk:
        breaking.need("root is needed to mount a small disk")
    assert site.leader() != _SMALL
    faults.broken_in_the_middle(site, site.disk_full)


def test_a_replica_that_is_slow(site: FaultySentinels) -> None:
    faults.slow_in_the_middle(site, lambda name: [site.pid(name)], alone=True)


def test_sentinels_fail_over_by_hand_in_the_middle(site: FaultySentinels) -> None:
    """The one that is chosen is still to be restarted, and makes way before it is stopped."""
    site.told("20s")
    site.write()
    last = site.followers[-1]
    with site.chosen(last):
        with site.writing() as before:
            rollout = site.restart()
            site.wait_for("step.started", "rejoin")
        assert last not in site.order()
        site.fail_over()
        assert site.leader() == last
        with site.writing() as after:
            faults.nobody_leads_who_is_stopped(site, rollout)
    assert sorted(site.order()) == sorted(site.names)
    faults.assert_nothing_lost(site, before)
    faults.assert_nothing_lost(site, after)


def test_each_that_comes_back_empty_copies_all_anew(site: FaultySentinels) -> None:
    """The master, too: by then it is a replica."""
    site.told("20s")
    site.write()
    faults.fills_who_comes_back_empty(site, site.is_full, *site.names)


class FaultyShards(FaultyRedis, ClusterSite):
    """Three masters with a replica each."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.told("10s")

    def master_of(self, name: str) -> str:
        """Whom it follows; "" for a master."""
        role = self.said(name, "ROLE")
        masters = [one for one in self.names if self.address(one) == role[1]]
        return masters[0] if role[0] == "slave" else ""


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[FaultyShards]:
    made = FaultyShards(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_a_shard_that_moves_by_hand_and_its_node_forgets_who_it_is(shards: FaultyShards) -> None:
    """Who was to be restarted as a replica leads by then, and makes way before. Without its
    nodes.conf it comes back as another node: it is not taken for the one that it was."""
    one, another, _ = (name for name in shards.names if shards.master_of(name))
    with shards.writing() as writer:
        rollout = shards.restart("--hosts", f"{one},{another}")
        first = shards.wait_for("step.started", "switch")
        moved = another if first == one else one
        old = shards.master_of(moved)
        shards.said(moved, "CLUSTER", "FAILOVER")
        faults.lose_disk(shards, moved)
        assert rollout.wait(120) == faults.STOPPED
    assert list(dict.fromkeys(shards.order())) == [first, moved]
    assert shards.said(old, "ROLE")[0] == "master"
    assert "it came back as another node" in faults.why(shards)
    faults.assert_nothing_lost(shards, writer)
