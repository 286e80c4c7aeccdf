"""Redis with Sentinel: no write that was acknowledged is lost, and nothing stays paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
import redis

from gapless.clusters.gates import refusals
from gapless.clusters.group import Kind
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.base import Claim
from gapless.errors import FenceRefused

from .redis_sentinels import SECRET, SentinelSite
from .redis_servers import (
    HOSTS,
    MASTER,
    PASSWORD,
    RedisServer,
    back,
    healthy,
    need_redis,
    wait_for,
    writing,
)

pytestmark = pytest.mark.xdist_group("redis-sentinel")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSite]:
    need_redis()
    site = SentinelSite(tmp_path_factory.mktemp("sentinels"))
    try:
        site.start()
        yield site
    finally:
        site.end()


@pytest.fixture
def site(servers: SentinelSite, monkeypatch: pytest.MonkeyPatch) -> SentinelSite:
    monkeypatch.setenv(SECRET, PASSWORD)
    return servers


@asynccontextmanager
async def well(site: SentinelSite) -> AsyncIterator[tuple[RedisSentinel, str]]:
    """A driver of healthy servers, and the master."""
    async with site.driven() as cluster:
        await healthy(cluster)
        yield cluster, (await cluster.topology()).groups[MASTER].leader


def test_the_topology_is_what_the_servers_are(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            seen = await cluster.topology()
            group = seen.groups[MASTER]
            assert {one.host: one.id for one in seen.members.values()} == {
                host: site.id(host) for host in HOSTS
            }
            assert group.kind is Kind.PRIMARY and group.minimum == 1 and group.slack == 2
            assert sorted(one.role for one in seen.members.values()) == ["master"] + ["replica"] * 2
            assert seen.members[master].role == "master" and seen.members[master].began
            assert len({one.began for one in seen.members.values()}) == 3
            assert await cluster.unsafe(seen, [master]) == ()
            other = next(one for one in seen.members if one != master)
            assert await cluster.evacuate(other, [], 5.0, None) == ()
            assert await cluster.seal(other, None) == ""

    asyncio.run(run())


def test_no_acknowledged_write_is_lost_in_a_restart_of_the_master(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            with writing(site.connected) as writer:
                before = await cluster.topology()
                targets = [one for one in before.members if one != master]
                (moved,) = await cluster.evacuate(master, targets, 30.0, None)
                assert moved.left and moved.to in targets, moved
                told = await cluster.topology()
                assert not told.findings and told.groups[MASTER].leader == moved.to
                assert (*refusals(told, [master]), *await cluster.unsafe(told, [master])) == ()
                assert not (await cluster.rejoined(master, before)).done  # the same process still
                server = site.servers[site.host(master)]
                server.stop()
                assert not (await cluster.rejoined(master, before)).done
                server.start()
                await back(cluster, master, before)
                await cluster.restore(master, None)
                written = len(writer.acknowledged)
                wait_for(lambda: len(writer.acknowledged) > written + 20, "writes go on")
            print(f"moved in {moved.seconds:.2f} s; {writer}")
            assert writer.failed == 0 and site.lost(writer.acknowledged) == []
            assert writer.stall < 10

    asyncio.run(run())


def test_what_sentinels_do_alone_loses_writes(site: SentinelSite) -> None:
    """The writer above would have noticed."""

    async def run() -> None:
        async with well(site) as (cluster, master):
            old = site.servers[site.host(master)]
            with writing(site.connected) as writer:
                assert site.sentinels[HOSTS[0]].say("SENTINEL", "FAILOVER", MASTER)
                wait_for(lambda: role(old) == "slave", "sentinels demote it", 30.0)
            await healthy(cluster)
            lost = site.lost(writer.acknowledged)
            print(f"{len(lost)} lost; {writer}")
            assert lost

    asyncio.run(run())


def test_one_that_is_no_target_is_not_chosen(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            target, other = (one for one in (await cluster.topology()).members if one != master)
            # Left alone, sentinels would choose this one.
            site.servers[site.host(other)].say("CONFIG", "SET", "replica-priority", "50")
            (moved,) = await cluster.evacuate(master, [target], 40.0, None)
            assert moved.left and moved.to == target, moved
            left = site.servers[site.host(other)].say("CONFIG", "GET", "replica-priority")
            site.servers[site.host(other)].say("CONFIG", "SET", "replica-priority", "100")
            assert left in (["replica-priority", "50"], {"replica-priority": "50"})
            written = (site.servers[site.host(other)].folder / "redis.conf").read_text()
            assert "1000050" not in written  # sentinels have them write down what they have

    asyncio.run(run())


def test_sentinels_that_disagree_are_a_finding_and_nothing_moves(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            odd = site.sentinels[HOSTS[2]]
            _, port = odd.say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
            odd.say("SENTINEL", "REMOVE", MASTER)
            try:
                seen = await cluster.topology()
                assert "sentinels-disagree" in {one.code for one in seen.findings}
                assert seen.groups[MASTER].leader == ""
                (moved,) = await cluster.evacuate(master, [], 5.0, None)
                assert not moved.left and "not all sentinels" in moved.why
                assert site.servers[site.host(master)].say("ROLE")[0] == "master"
            finally:
                odd.say("SENTINEL", "MONITOR", MASTER, "127.0.0.1", str(port), "2")
                for key, value in (
                    ("auth-pass", PASSWORD),
                    ("down-after-milliseconds", "1500"),
                    ("failover-timeout", "20000"),
                ):
                    odd.say("SENTINEL", "SET", MASTER, key, value)

    asyncio.run(run())


def test_a_master_that_would_come_back_empty_is_refused_whatever_anybody_says(
    site: SentinelSite,
) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            server = site.servers[site.host(master)]
            server.say("CONFIG", "SET", "appendonly", "no")
            try:
                seen = await cluster.topology()
                (found,) = await cluster.unsafe(seen, list(seen.members))
                assert found.code == "redis-unpersisted-master" and found.absolute
                assert found.where == master and found.evidence and found.next
                assert "nothing is written" in await cluster.seal(master, None)
            finally:
                server.say("CONFIG", "SET", "appendonly", "yes")
            replica = next(one for one in seen.members if one != master)
            site.servers[site.host(replica)].say("CONFIG", "SET", "appendonly", "no")
            assert await cluster.unsafe(seen, [replica]) == ()
            site.servers[site.host(replica)].say("CONFIG", "SET", "appendonly", "yes")

    asyncio.run(run())


def test_a_replica_whose_link_is_down_is_a_finding_and_not_in_sync(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            replica = next(one for one in (await cluster.topology()).members if one != master)
            server = site.servers[site.host(replica)]
            server.say("CONFIG", "SET", "masterauth", "wrong")
            server.say("CLIENT", "KILL", "TYPE", "master")
            try:
                seen = await cluster.topology()
                (found,) = (one for one in seen.findings if one.code == "redis-not-in-sync")
                assert found.where == replica and "link" in found.what
                assert replica not in seen.groups[MASTER].in_sync
                assert seen.groups[MASTER].slack == 1
                assert "wrong" not in repr(seen) and PASSWORD not in repr(seen)
            finally:
                server.say("CONFIG", "SET", "masterauth", PASSWORD)
            await healthy(cluster)

    asyncio.run(run())


def test_cancelled_while_paused_it_takes_the_pause_back(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            waiting = asyncio.Event()
            host = site.host(master)

            async def hang(data: bytes) -> None:
                """A replica is asked what it has."""
                if not waiting.is_set() and paused(site, host):
                    waiting.set()
                    await asyncio.sleep(60)

            for turned in site.turned.values():
                turned.before = hang
            task = asyncio.create_task(cluster.evacuate(master, [], 20.0, None))
            await asyncio.wait_for(waiting.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not paused(site, host, 5.0)
            assert (await cluster.topology()).groups[MASTER].leader == master

    asyncio.run(run())


def test_after_a_controller_that_died_while_paused_another_one_restores(
    site: SentinelSite,
) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            host = site.host(master)

            async def dies(data: bytes) -> None:
                for turned in site.turned.values():
                    turned.cut_off = paused(site, host)

            for turned in site.turned.values():
                turned.before = dies
            (moved,) = await cluster.evacuate(master, [], 1.0, None)
            assert not moved.left and moved.why
            assert paused(site, host)
            for turned in site.turned.values():
                turned.before, turned.cut_off = None, False
            await site.driver().restore(master, None)
            assert not paused(site, host, 5.0)

    asyncio.run(run())


def test_a_host_that_obeys_another_rollout_lets_nothing_move(site: SentinelSite) -> None:
    async def run() -> None:
        async with well(site) as (cluster, master):
            assert site.local
            old = (await site.local.claim(claim("one"))).fence
            assert old and (await site.local.claim(claim("two"), take_over=True)).fence
            with pytest.raises(FenceRefused):
                await cluster.evacuate(master, [], 5.0, old)
            assert not paused(site, site.host(master), 5.0)
            assert (await cluster.topology()).groups[MASTER].leader == master

    asyncio.run(run())


def role(server: RedisServer) -> str:
    """As it says; "" while it does not."""
    with suppress(redis.RedisError):
        return str(server.say("ROLE")[0])
    return ""


def claim(rollout: str) -> Claim:
    return Claim("cache", rollout, "test", "here", 1, time.time())


def paused(site: SentinelSite, host: str, patience: float = 0.3) -> bool:
    """Whether a write has to wait there for so many seconds."""
    with site.servers[host].client(timeout=patience) as client:
        try:
            client.set("paused", "no")
        except TimeoutError:
            return True
        except Exception as error:
            return "Timeout" in type(error).__name__
    return False
