"""``gapless restart --prove`` of NATS: its client has a stream of its own all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.nats_cluster import CURRENT
from tests.clusters.proofs import proved
from tests.clusters.test_nats_rolled import NatsSite

pytestmark = [pytest.mark.xdist_group("proved_nats"), pytest.mark.timeout(170)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsSite]:
    made = NatsSite(tmp_path_factory.mktemp("nats"), CURRENT)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: NatsSite) -> None:
    proof = proved(site)
    assert proof.well(), proof.client
    print(proof.client)
