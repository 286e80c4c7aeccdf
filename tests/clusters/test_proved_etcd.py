"""``gapless restart --prove`` of etcd: its client writes and reads all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.proofs import proved
from tests.clusters.site import EtcdSite

pytestmark = [pytest.mark.xdist_group("proved_etcd"), pytest.mark.timeout(170)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdSite]:
    made = EtcdSite(tmp_path_factory.mktemp("etcd"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: EtcdSite) -> None:
    before = site.pids()
    proof = proved(site)
    assert proof.well(), proof.client
    assert proof.client["operations"] > 40
    assert not site.members.keys(site.names[0], "gapless-prove")
    assert all(site.pids()[name] != before[name] for name in site.names)
    print(proof.client)
