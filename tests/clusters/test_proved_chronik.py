"""A client of Chronik, by declared requests, sees a stop that loses what was acknowledged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.http import HttpWorkload
from gapless.prove.client_view import ClientView
from gapless.prove.load import Load
from tests.clusters.chronik_cluster import ChronikCluster

pytestmark = [pytest.mark.xdist_group("proved_chronik"), pytest.mark.timeout(170)]
_CLIENT = {
    "write": {"path": "/produce/test-topic-0", "position": "offset"},
    "read": {"path": "/fetch/test-topic-0?offset={position}"},
}


def test_a_stop_that_loses_what_was_acknowledged_is_seen(tmp_path: Path) -> None:
    """All nodes are killed before they have written anything down."""
    with ChronikCluster(tmp_path) as cluster:
        view = asyncio.run(_killed(cluster))
    print(view)
    assert view.acknowledged > 5
    assert 5 < view.lost <= view.acknowledged


async def _killed(cluster: ChronikCluster) -> ClientView:
    config = WorkloadConfig.model_validate(_CLIENT)
    client = HttpWorkload("chronik", tuple(cluster.urls), ApiTlsConfig(), {}, config, "unused")
    load = Load("store", client, 20.0, 2.0, LoopClock(), "run1")
    await load.open()
    load.begin()
    while load.view().acknowledged < 10:
        await asyncio.sleep(0.05)
    for node in cluster.nodes.values():
        node.kill()
    for node in cluster.nodes.values():
        node.start()
    await asyncio.to_thread(cluster.wait_until_healthy)
    await load.finish()
    await load.close()
    return load.view()
