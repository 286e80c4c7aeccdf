"""The example of the procedure, step by step: who leads what, and who is in sync, after each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.clusters.topology import Topology
from gapless.config.cluster_http import ChronikConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.http_cluster import Chronik
from gapless.drivers.transports.local import LocalTransport

from .chronik_cluster import ChronikCluster, until
from .minichronik.writer import Writer

PARTITIONS = [f"test-topic-{number}" for number in range(3)]
STEPS: list[tuple[int, dict[str, int], dict[str, int]]] = [
    (
        2,
        {"test-topic-1": 3},
        {"test-topic-0": 1, "test-topic-1": 3, "test-topic-2": 3},
    ),
    (
        3,
        {"test-topic-1": 1, "test-topic-2": 1},
        {"test-topic-0": 1, "test-topic-1": 1, "test-topic-2": 1},
    ),
    (
        1,
        {"test-topic-0": 2, "test-topic-1": 2, "test-topic-2": 3},
        {"test-topic-0": 2, "test-topic-1": 2, "test-topic-2": 3},
    ),
]
"""Node that is restarted, where its leaderships go, and who leads then."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ChronikCluster]:
    """Each of three nodes leads one of three partitions, as at the beginning of the example."""
    with ChronikCluster(tmp_path) as made:
        yield made


def test_leaders_and_in_sync_sets_after_each_step(cluster: ChronikCluster) -> None:
    for number, partition in enumerate(PARTITIONS, start=1):
        cluster.move(partition, number)
    with Writer(cluster.urls, PARTITIONS) as writer:
        for node, moves, leaders in STEPS:
            for partition, target in moves.items():
                cluster.move(partition, target)
            cluster.nodes[node].stop()
            left = sorted({1, 2, 3} - {node})
            _until_told(cluster, leaders, left, by=left)
            cluster.nodes[node].start()
            _until_told(cluster, leaders, [1, 2, 3], by=[1, 2, 3])
            assert _seen(cluster).leaderless == ()
    assert not writer.failed
    for partition, values in writer.acknowledged.items():
        cluster.wait_until_all_have(partition, values)


def _until_told(
    cluster: ChronikCluster, leaders: Mapping[str, int], in_sync: list[int], *, by: list[int]
) -> None:
    """All of them say so of every partition, and so does our driver."""
    wanted = {name: (leaders[name], in_sync) for name in PARTITIONS}
    nodes = [cluster.nodes[one] for one in by]

    def told() -> bool:
        views = [{n: (node.leader(n), sorted(node.isr(n))) for n in PARTITIONS} for node in nodes]
        return all(view == wanted for view in views) and _by_driver(_seen(cluster)) == wanted

    until(told, f"{leaders} with {in_sync}")


def _by_driver(topology: Topology) -> dict[str, tuple[int, list[int]]]:
    groups = {name: topology.groups[name] for name in PARTITIONS}
    return {
        name: (int(group.leader or 0), sorted(map(int, group.in_sync)))
        for name, group in groups.items()
    }


def _seen(cluster: ChronikCluster) -> Topology:
    """By the driver, asked on what stands for three hosts."""
    at = {f"node{number}": node.address for number, node in cluster.nodes.items()}
    here = HostConfig(transport="local", sudo=False, state_dir=str(cluster.folder / "state"))

    async def ask() -> Topology:
        local = LocalTransport("node1", here)
        await local.connect()
        try:
            config = ChronikConfig(url="http://{address}")
            driver = Chronik(
                "stream", config, tuple(at), lambda _: local, LoopClock(), address=at.__getitem__
            )
            return await driver.topology()
        finally:
            await local.close()

    return asyncio.run(ask())
