"""The driver for ZooKeeper with three real servers, which all of these tests share: each leaves
them as it found them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.config.cluster_zookeeper import ZooKeeperConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster, Rejoined
from gapless.drivers.clusters.zookeeper import ZooKeeper
from gapless.drivers.clusters.zookeeper_round import ENSEMBLE
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ClusterError

from .zookeeper_cluster import NAMES, ZooKeeperServers

pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("zookeeper")]
_PATIENCE = 60.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperServers]:
    made = ZooKeeperServers(tmp_path_factory.mktemp("zookeeper"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


class Hosts:
    """A transport for each, all of them on this machine."""

    def __init__(self, servers: ZooKeeperServers, folder: Path) -> None:
        self._servers = servers
        self._open = {
            name: LocalTransport(
                name,
                HostConfig(transport="local", sudo=False, state_dir=str(folder / f"{name}-state")),
            )
            for name in NAMES
        }

    def cluster(self, **config: Any) -> ZooKeeper:
        address = f"{{address}}:{self._servers.client_port}"
        return ZooKeeper(
            "locks", ZooKeeperConfig.model_validate({"address": address, **config}), NAMES,
            self._open.__getitem__, LoopClock(), address=self._servers.address,
        )  # fmt: skip

    async def __aenter__(self) -> Hosts:
        for transport in self._open.values():
            await transport.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        for transport in self._open.values():
            await transport.close()


Play = Callable[[Callable[[Hosts], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(servers: ZooKeeperServers, tmp_path: Path) -> Play:
    def played(scene: Callable[[Hosts], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with Hosts(servers, tmp_path) as hosts:
                await scene(hosts)

        asyncio.run(whole())

    return played


async def shown(cluster: Cluster, wanted: Callable[[Topology], object]) -> Topology:
    """The first topology that is as wanted."""
    until = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        topology = await cluster.topology()
        if wanted(topology):
            return topology
        assert asyncio.get_running_loop().time() < until, "\n".join(map(repr, topology.findings))
        await asyncio.sleep(0.05)


async def back(ask: Callable[[], Awaitable[Rejoined]]) -> Rejoined:
    until = asyncio.get_running_loop().time() + _PATIENCE
    while not (answer := await ask()).done:
        assert asyncio.get_running_loop().time() < until, answer
        await asyncio.sleep(0.05)
    return answer


def healthy(topology: Topology) -> bool:
    group = topology.groups[ENSEMBLE]
    return not topology.findings and group.full and bool(group.leader)


def codes(topology: Topology) -> set[str]:
    return {finding.code for finding in topology.findings}


def test_everybody_is_seen_and_anybody_may_be_stopped(
    play: Play, servers: ZooKeeperServers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        leader = servers.leader()
        assert {one.id: one.host for one in topology.members.values()} == {
            "1": "zk1", "2": "zk2", "3": "zk3",
        }  # fmt: skip
        roles = {one.host: one.role for one in topology.members.values()}
        assert roles == {name: "leader" if name == leader else "follower" for name in NAMES}
        group = topology.groups[ENSEMBLE]
        assert (group.minimum, group.movable, group.leader) == (2, False, leader[2:])
        assert topology.asked == ("1", "2", "3")
        for member in topology.members.values():
            assert refusals(topology, [member.id]) == ()
            assert member.version.startswith("3.") and member.well
        again = await cluster.topology()
        assert [m.began for m in again.members.values()] == [
            m.began for m in topology.members.values()
        ]
        (moved,) = await cluster.evacuate(leader[2:], [], 1.0, None)
        assert not moved.left and "when it stops" in moved.why and servers.leader() == leader
        assert await cluster.evacuate("1" if leader != "zk1" else "2", [], 1.0, None) == ()

    play(scene)


def test_a_frozen_follower_is_not_in_sync_though_its_leader_counts_it(
    play: Play, servers: ZooKeeperServers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(timeout="500ms")
        before = await shown(cluster, healthy)
        follower = next(one for one in before.members.values() if one.role == "follower")
        other = next(one for one in before.members if one != follower.id)
        servers.signal(follower.host, signal.SIGSTOP)
        try:
            topology = await cluster.topology()
        finally:
            servers.signal(follower.host, signal.SIGCONT)
        assert codes(topology) == {"silent-member"}
        assert topology.members[follower.id].host == follower.host
        assert follower.id not in topology.groups[ENSEMBLE].in_sync
        assert "quorum-lost" in {one.code for one in refusals(topology, [other]) if one.absolute}
        await shown(cluster, healthy)

    play(scene)


def test_a_leader_that_is_stopped_is_back_when_it_follows_and_an_election_is_no_restart(
    play: Play, servers: ZooKeeperServers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        leader = before.groups[ENSEMBLE].leader
        host = before.members[leader].host
        other = next(one for one in before.members.values() if one.id != leader)
        assert "still the process" in (await cluster.rejoined(leader, before)).why
        servers.stop(host)
        topology = await shown(cluster, lambda t: t.groups[ENSEMBLE].leader not in {"", leader})
        assert "silent-member" in codes(topology)
        assert not (await cluster.rejoined(leader, before)).done
        why = (await cluster.rejoined(other.id, before)).why
        assert "nothing shows that it is another process" in why, "it has another role only"
        with servers.client(other.host) as client:
            for number in range(20):
                client.create(f"/away-{number}", "x")
        servers.configure(host, words="srvr")
        servers.start(host)
        topology = await shown(cluster, lambda t: "words-not-allowed" in codes(t))
        (found,) = [one for one in topology.findings if one.code == "words-not-allowed"]
        assert found.member == leader and "4lw.commands.whitelist=mntr,srvr,conf" in found.next
        assert (await cluster.rejoined(leader, before)).done is False
        servers.stop(host)
        servers.configure(host)
        servers.start(host)
        answer = await back(lambda: cluster.rejoined(leader, before))
        assert answer.lag is not None
        await shown(cluster, healthy)
        with servers.client(host) as client:
            assert {f"away-{number}" for number in range(20)} <= client.children("/")

    play(scene)


def test_without_a_quorum_nobody_serves(play: Play, servers: ZooKeeperServers) -> None:
    """The last of these: nobody is well after it."""

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        await shown(cluster, healthy)
        for name in ("zk2", "zk3"):
            servers.stop(name, signal.SIGKILL)
        topology = await shown(cluster, lambda t: "not-serving" in codes(t))
        assert {"one-witness", "no-leader"} <= {one.code for one in refusals(topology, ["1"])}
        with pytest.raises(ClusterError, match="none of 3 hosts") as caught:
            await hosts.cluster().topology()
        assert "zk1: ZooKeeper on zk1 runs, and serves nobody" in caught.value.evidence

    play(scene)
