"""PostgreSQL under Patroni is restarted by one command, while somebody writes all the time."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.clusters.patroni_cluster import PatroniSite
from tests.clusters.site import Writer

pytestmark = pytest.mark.timeout(170)
_STALL = 1.5
"""Seconds without a leader that clients have to bear in a switchover."""
_BUSY = 2.5
"""What a machine that does much else may add."""


@pytest.fixture
def site() -> Iterator[PatroniSite]:
    made = PatroniSite()
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_the_leader_goes_last_and_no_write_is_lost(site: PatroniSite) -> None:
    before, began = site.pids(), site.began()
    with Writer(site.put, psycopg.Error, rate=20.0) as writer:
        site.run("restart", "--yes", "--reason", "test")
    print(f"{len(writer.acknowledged)} writes, longest {writer.longest:.2f} s")
    assert not site.lost(writer.acknowledged)
    assert len(writer.acknowledged) > 50
    assert writer.longest < _STALL + _BUSY
    assert site.order() == ["pg2", "pg3", "pg1"] and site.leader() in ("pg2", "pg3")
    assert site.timeline() == 2, "one switchover, and no failover"
    assert all(site.pids()[name] != before[name] for name in site.names)
    assert all(site.began()[name] != began[name] for name in site.names)
    assert site.well()
