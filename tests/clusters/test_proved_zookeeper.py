"""``gapless restart --prove`` of ZooKeeper: its client has a session all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.proofs import proved
from tests.clusters.test_zookeeper_rolled import ZooKeeperSite
from tests.clusters.zookeeper_cluster import NAMES

pytestmark = [pytest.mark.xdist_group("proved_zookeeper"), pytest.mark.timeout(170)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperSite]:
    made = ZooKeeperSite(tmp_path_factory.mktemp("zookeeper"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: ZooKeeperSite) -> None:
    before = site.pids()
    proof = proved(site)
    assert proof.well(), proof.client
    assert all(site.pids()[name] != before[name] for name in NAMES)
    with site.servers.client(NAMES[0]) as client:
        assert client.children("/") == {"zookeeper"}
    print(proof.client)
