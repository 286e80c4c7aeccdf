"""The driver for RabbitMQ with three real nodes, which all of these tests share: each leaves them
as it found them. That a node comes back is seen in ``test_proved_rabbitmq``."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.rabbitmq import RabbitCluster
from gapless.drivers.transports.base import Claim, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence

from .rabbitmq_cluster import NAMES, QUEUE, RabbitSite, rabbit

__all__ = ["rabbit"]
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("rabbitmq")]
GROUP = f"/ > {QUEUE}"
_PATIENCE = 120.0


class Hosts:
    """A transport for each, all of them on this machine."""

    def __init__(self, rabbit: RabbitSite, folder: Path) -> None:
        self._rabbit = rabbit
        self._open = {
            name: LocalTransport(
                name,
                HostConfig(transport="local", sudo=False, state_dir=str(folder / f"{name}-state")),
            )
            for name in NAMES
        }

    def transport(self, host: str) -> Transport:
        return self._open[host]

    async def fence(self, host: str, rollout: str) -> Fence:
        claim = Claim("rabbit", rollout, "somebody", "here", os.getpid(), 0.0)
        claimed = await self.transport(host).claim(claim, take_over=True)
        assert claimed.fence
        return claimed.fence

    def cluster(self, **config: Any) -> RabbitCluster:
        settings = RabbitClusterConfig.model_validate({**self._rabbit.config(), **config})
        return RabbitCluster(
            "bus", settings, NAMES, self.transport, LoopClock(), address=self._rabbit.address
        )

    async def __aenter__(self) -> Hosts:
        for transport in self._open.values():
            await transport.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        for transport in self._open.values():
            await transport.close()


Play = Callable[[Callable[[Hosts], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(rabbit: RabbitSite, tmp_path: Path) -> Play:
    def played(scene: Callable[[Hosts], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with Hosts(rabbit, tmp_path) as hosts:
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


def healthy(topology: Topology) -> bool:
    full = all(group.full and group.leader for group in topology.groups.values())
    return not topology.findings and set(topology.groups) == {GROUP} and full


def told(topology: Topology) -> bool:
    """Also of processes, which takes a node five seconds."""
    return healthy(topology) and all(member.began for member in topology.members.values())


def test_maintenance_is_begun_and_taken_back(rabbit: RabbitSite, play: Play) -> None:
    """Also by another controller, which knows nothing of the first."""

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        await shown(cluster, healthy)
        host, before = rabbit.leader(), rabbit.pids()
        member, other = rabbit.node(host), next(name for name in NAMES if name != host)
        old, new = [await hosts.fence(host, rollout) for rollout in ("r1", "r2")]
        with pytest.raises(FenceRefused):
            await cluster.evacuate(member, [], 20, old)
        assert rabbit.leader() == host
        (moved,) = await cluster.evacuate(member, [], 20, new)
        print(moved)
        assert moved.left and moved.group == GROUP
        assert rabbit.queue(other)["leader"] == moved.to
        assert await cluster.evacuate(member, [], 20, new) == (), "it leads nothing"
        now = await cluster.topology()
        assert {one.code for one in now.findings} == {"takes-no-connections"}
        assert now.led_by(member) == () and member not in now.groups[GROUP].in_sync
        second = next(name for name in NAMES if name not in (host, other))
        found = refusals(now, [rabbit.node(second)])
        assert [one.absolute for one in found if one.code == "quorum-lost"] == [True]
        back = hosts.cluster()
        await back.restore(member, new)
        after = await back.topology()
        assert healthy(after) and rabbit.pids() == before
        await back.restore(member, new)

    play(scene)


def test_what_one_node_has_alone_is_not_stopped(rabbit: RabbitSite, play: Play) -> None:
    kinds = {"lasting": True, "passing": False}
    for queue, durable in kinds.items():
        data = json.dumps({"durable": durable, "node": rabbit.node("rabbit2")}).encode()
        rabbit.page("rabbit2", f"queues/%2F/{queue}", data=data, method="PUT")

    async def found(hosts: Hosts, name: str) -> dict[str, tuple[str, bool]]:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        lone = await cluster.unsafe(topology, [rabbit.node(name)])
        return {one.where.removeprefix("/ > "): (one.code, one.absolute) for one in lone}

    async def scene(hosts: Hosts) -> None:
        empty = {"lasting": ("single-copy", False), "passing": ("transient-queue", False)}
        assert await found(hosts, "rabbit2") == empty
        assert await found(hosts, "rabbit1") == {}
        _put(rabbit, "of no matter", "passing")
        assert (await found(hosts, "rabbit2"))["passing"] == ("transient-queue", True)

    try:
        play(scene)
    finally:
        for queue in kinds:
            rabbit.page("rabbit2", f"queues/%2F/{queue}", method="DELETE")


def _put(rabbit: RabbitSite, key: str, queue: str) -> None:
    """By a new connection where that of a test before is not let in any more."""
    try:
        rabbit.put(key, queue)
    except OSError:
        rabbit.put(key, queue)


def test_an_alarm_is_told_by_all(rabbit: RabbitSite, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        await shown(cluster, healthy)
        rabbit.ctl("rabbit3", "rabbitmqctl", "set_disk_free_limit", "1000000GB")
        try:
            topology = await shown(cluster, lambda t: t.findings)
        finally:
            rabbit.ctl("rabbit3", "rabbitmqctl", "set_disk_free_limit", "1MB")
        (alarm,) = topology.findings
        assert (alarm.code, alarm.where) == ("alarm", rabbit.node("rabbit3"))
        assert "disk" in alarm.what
        await shown(cluster, healthy)

    play(scene)


def test_a_stranger_is_told_so(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(hosts: Hosts) -> None:
        monkeypatch.setenv("RABBIT_WRONG", "falsch-falsch")
        cluster = hosts.cluster(login={"user": "shop", "password": "env:RABBIT_WRONG"})
        with pytest.raises(ClusterError) as error:
            await cluster.topology()
        said = f"{error.value} {error.value.evidence} {error.value.next}"
        assert "does not let in the user 'shop'" in said and "falsch" not in said

    play(scene)


def test_a_healthy_cluster_has_its_queue(rabbit: RabbitSite, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, told)
        nodes = tuple(rabbit.node(name) for name in NAMES)
        assert topology.asked == nodes and tuple(sorted(topology.members)) == nodes
        group = topology.groups[GROUP]
        found = (set(group.members), group.minimum, group.movable, group.leader)
        assert found == (set(nodes), 2, True, rabbit.node(rabbit.leader()))
        pids = rabbit.pids()
        for name, node in zip(NAMES, nodes, strict=True):
            member = topology.members[node]
            assert (member.host, member.well) == (name, True) and member.version.startswith("3.")
            assert member.began.startswith(f"{pids[name]} since "), "its process"
            assert refusals(topology, [node]) == ()
            assert await cluster.unsafe(topology, [node]) == ()
            same = await cluster.rejoined(node, topology)
            assert not same.done and "still the process" in same.why and same.lag == 0

    play(scene)
