"""The driver for Patroni with three real members: who leads, who follows, who is back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.topology import Topology
from gapless.config.cluster_patroni import PatroniConfig
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.clusters.patroni import PatroniCluster
from gapless.drivers.transports.base import Claim
from gapless.errors import FenceRefused
from gapless.model import Fence
from tests.clusters.patroni_cluster import PASSWORD, PatroniSite, patroni_site, wait_for
from tests.clusters.redis_servers import local_transport, until

__all__ = ["patroni_site"]
pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("patroni")]


@pytest.fixture
def patroni(patroni_site: PatroniSite, monkeypatch: pytest.MonkeyPatch) -> PatroniSite:
    """All of it well, whatever the test before did."""
    monkeypatch.setenv("GAPLESS_TEST_PATRONI", PASSWORD)
    wait_for(patroni_site.well, "a healthy cluster")
    return patroni_site


Scene = Callable[[PatroniCluster], Coroutine[Any, Any, None]]


def play(site: PatroniSite, folder: Path, scene: Scene, **changed: Any) -> None:
    """With a driver, and a real helper between it and the members."""

    async def run() -> None:
        async with driven(site, folder, **changed) as (cluster, _):
            await scene(cluster)

    asyncio.run(run())


@asynccontextmanager
async def driven(
    site: PatroniSite, folder: Path, **changed: Any
) -> AsyncIterator[tuple[PatroniCluster, Callable[[str], Awaitable[Fence]]]]:
    """And what makes a rollout the newest on its hosts."""
    async with local_transport(folder) as local:

        async def fence(rollout: str) -> Fence:
            claim = Claim("shop", rollout, "somebody", "here", os.getpid(), 0.0)
            claimed = await local.claim(claim, take_over=True)
            assert claimed.fence
            return claimed.fence

        config = PatroniConfig.model_validate({**site.driven(), **changed})
        yield (
            PatroniCluster(
                "shop", config, site.names, lambda _: local, LoopClock(), address=site.address
            ),
            fence,
        )


def codes(topology: Topology) -> set[str]:
    return {finding.code for finding in topology.findings}


async def shown(cluster: Cluster, *expected: str) -> Topology:
    """Until exactly these are found."""
    seen: list[Topology] = []

    async def as_expected() -> bool:
        seen[:] = [await cluster.topology()]
        return codes(seen[0]) == set(expected)

    await until(as_expected, lambda: seen)
    return seen[0]


def test_a_healthy_cluster_is_one_group(patroni: PatroniSite, tmp_path: Path) -> None:
    async def scene(cluster: PatroniCluster) -> None:
        assert (cluster.name, cluster.kind) == ("shop", "patroni")
        seen = await shown(cluster)
        group = seen.groups["shop"]
        assert group.full and group.leader == patroni.leader() and set(seen.asked) == {
            "pg1", "pg2", "pg3",
        }  # fmt: skip
        assert {one.id: one.host for one in seen.members.values()} == {
            name: name for name in patroni.names
        }
        assert all(one.version.endswith("Patroni 3.0.2") for one in seen.members.values())
        for name in patroni.names:
            assert not refusals(seen, [name]) and not await cluster.unsafe(seen, [name])
        replica = next(name for name in patroni.names if name != group.leader)
        assert await cluster.evacuate(replica, [], 5.0, None) == ()

    play(patroni, tmp_path, scene)


def test_what_somebody_ordered_speaks_against_it(patroni: PatroniSite, tmp_path: Path) -> None:
    """Maintenance mode, a switchover for later; a setting that waits for a restart does not."""

    async def scene(cluster: PatroniCluster) -> None:
        leader = patroni.leader()
        other = next(name for name in patroni.names if name != leader)
        later = {"leader": leader, "candidate": other, "scheduled_at": "2099-01-01T00:00:00+00:00"}
        patroni.tell(leader, "POST", "/switchover", later)
        await shown(cluster, "scheduled-switchover")
        patroni.tell(leader, "DELETE", "/switchover")
        patroni.tell(leader, "PATCH", "/config", {"pause": True})
        await shown(cluster, "paused")
        settings = {"parameters": {"max_connections": 60}}
        patroni.tell(leader, "PATCH", "/config", {"pause": None, "postgresql": settings})
        pending: list[str] = []

        async def told() -> bool:
            members = (await cluster.topology()).members.values()
            pending[:] = [one.id for one in members if one.role.endswith("pending restart")]
            return len(pending) == 3

        await until(told, lambda: pending)
        assert not refusals(await shown(cluster), [leader])

    play(patroni, tmp_path, scene)


def test_a_replica_that_stands_still_is_behind(patroni: PatroniSite, tmp_path: Path) -> None:
    leader = patroni.leader()
    replica, other = (name for name in patroni.names if name != leader)

    async def scene(cluster: PatroniCluster) -> None:
        with patroni.connected() as writing, patroni.connected(replica) as reading:
            writing.execute("CREATE TABLE read (key text)")
            wait_for(lambda: _has(reading, "read"), "the table")
            reading.execute("BEGIN")
            reading.execute("SELECT * FROM read")
            # who reads it there holds up whatever comes after this
            writing.execute("DROP TABLE read")
            for number in range(200):
                writing.execute("INSERT INTO written VALUES (%s)", [f"behind {number}"])
            seen = await shown(cluster, "lagging")
            assert seen.groups["shop"].in_sync == {leader, other}
            assert "not-in-sync" in {one.code for one in refusals(seen, [other])}
            assert not refusals(seen, [replica])
            reading.execute("ROLLBACK")
        await shown(cluster)

    play(patroni, tmp_path, scene, lag=1000)


def _has(connection: psycopg.Connection[Any], table: str) -> bool:
    found = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
    return found is not None and found[0] is not None


def test_the_leader_makes_way_for_who_has_all(patroni: PatroniSite, tmp_path: Path) -> None:
    """A synchronous standby, though another one was asked for; and to be started anew by Patroni
    is no restart."""
    leader, line = patroni.leader(), patroni.timeline()

    async def scene(cluster: PatroniCluster) -> None:
        patroni.tell(leader, "PATCH", "/config", {"synchronous_mode": True})
        wait_for(lambda: len(patroni.synchronous()) == 1, "a synchronous standby")
        (best,) = patroni.synchronous()
        other = next(name for name in patroni.names if name not in (leader, best))
        before = await shown(cluster)
        assert still_leads(before, leader) is not None
        (moved,) = await cluster.evacuate(leader, [other], 30.0, None)
        assert moved.left and moved.to == best, moved
        print(f"left in {moved.seconds:.2f} s")
        seen = await shown(cluster)
        assert still_leads(seen, leader) is None and patroni.leader() == best
        assert patroni.timeline() == line + 1
        assert seen.members[leader].began != before.members[leader].began
        told = await cluster.rejoined(leader, before)
        assert not told.done and "still the PostgreSQL" in told.why
        assert await cluster.evacuate(leader, [other], 5.0, None) == ()
        patroni.tell(best, "PATCH", "/config", {"synchronous_mode": None})

    play(patroni, tmp_path, scene)


def test_who_may_order_nothing_moves_nothing(patroni: PatroniSite, tmp_path: Path) -> None:
    leader = patroni.leader()
    line = patroni.timeline()

    async def refused() -> None:
        async with driven(patroni, tmp_path / "none", login=None) as (cluster, _):
            (moved,) = await cluster.evacuate(leader, [], 10.0, None)
            assert not moved.left and "does not let us in: no auth header" in moved.why
        async with driven(patroni, tmp_path / "old") as (cluster, newest):
            old = await newest("first")
            await newest("second")
            with pytest.raises(FenceRefused):
                await cluster.evacuate(leader, [], 10.0, old)

    asyncio.run(refused())
    assert (patroni.leader(), patroni.timeline()) == (leader, line)
