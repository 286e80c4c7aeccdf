"""``gapless restart --prove`` of Redis with its sentinels."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.clusters.proofs import proved
from tests.clusters.test_redis_rolled import _PORT, SentinelSite

pytestmark = [pytest.mark.xdist_group("proved_redis"), pytest.mark.timeout(170)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSite]:
    made = SentinelSite(tmp_path_factory.mktemp("redis"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: SentinelSite) -> None:
    master = site.master()
    proof = proved(site)
    assert proof.well(), proof.client
    assert site.master() != master, "it was moved under the client"
    for name in site.names:
        with site.client(site.address(name), _PORT) as client:
            _await_none(client)
    print(proof.client)


def _await_none(client: Redis) -> None:
    """A replica hears of it a moment after the master."""
    deadline = time.monotonic() + 30
    while left := client.keys("gapless-prove*"):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
