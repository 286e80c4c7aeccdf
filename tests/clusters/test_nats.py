"""The driver for NATS with three real servers, which all of these tests share: each leaves them as
it found them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster, Rejoined
from gapless.drivers.clusters.nats import NatsCluster
from gapless.drivers.transports.base import Claim, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence

from .nats_cluster import CONSUMER, EDITIONS, NAMES, STREAM, USERS, NatsServers

pytestmark = pytest.mark.xdist_group("nats")

GROUPS = {"meta", STREAM, CONSUMER}
_PATIENCE = 40.0


@pytest.fixture(scope="module", params=EDITIONS)
def nats(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NatsServers]:
    servers = NatsServers(tmp_path_factory.mktemp("nats"), request.param)
    try:
        servers.begin()
        yield servers
    finally:
        servers.end()


class Hosts:
    """A transport for each, all of them on this machine."""

    def __init__(self, nats: NatsServers, folder: Path) -> None:
        self._nats = nats
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
        claim = Claim("nats", rollout, "somebody", "here", os.getpid(), 0.0)
        claimed = await self.transport(host).claim(claim, take_over=True)
        assert claimed.fence
        return claimed.fence

    def cluster(self, **config: Any) -> NatsCluster:
        logins = {
            account: {"user": user, "password": f"env:NATS_{user.upper()}"}
            for account, (user, _) in USERS.items()
        }
        settings = {
            "monitor": f"http://{{address}}:{self._nats.monitor_port}",
            "address": f"{{address}}:{self._nats.client_port}",
            "accounts": {"SHOP": logins["SHOP"]},
            "system": logins["$SYS"],
            **config,
        }
        return NatsCluster(
            "bus", NatsClusterConfig.model_validate(settings), NAMES, self.transport, LoopClock(),
            address=self._nats.address,
        )  # fmt: skip

    async def __aenter__(self) -> Hosts:
        for transport in self._open.values():
            await transport.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        for transport in self._open.values():
            await transport.close()


Play = Callable[[Callable[[Hosts], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(nats: NatsServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    for user, password in USERS.values():
        monkeypatch.setenv(f"NATS_{user.upper()}", password)

    def played(scene: Callable[[Hosts], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with Hosts(nats, tmp_path) as hosts:
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


async def back(ask: Callable[[], Awaitable[Rejoined]]) -> Rejoined:
    until = asyncio.get_running_loop().time() + _PATIENCE
    while not (answer := await ask()).done:
        assert asyncio.get_running_loop().time() < until, answer
        await asyncio.sleep(0.05)
    return answer


def healthy(topology: Topology) -> bool:
    full = all(group.full and group.leader for group in topology.groups.values())
    return not topology.findings and set(topology.groups) == GROUPS and full


async def idle(cluster: Cluster) -> tuple[str, Topology]:
    """A member that leads nothing, and everybody as they are then."""
    await shown(cluster, healthy)
    moved = await cluster.evacuate("nats3", [], 10, None)
    assert all(one.left for one in moved), moved
    return "nats3", await shown(cluster, lambda t: healthy(t) and not t.led_by("nats3"))


def codes(topology: Topology) -> set[str]:
    return {finding.code for finding in topology.findings}


def test_a_healthy_cluster_has_its_groups(nats: NatsServers, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster: Cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        assert topology.asked == NAMES and set(topology.members) == set(NAMES)
        for group in topology.groups.values():
            assert (set(group.members), group.minimum, group.movable) == (set(NAMES), 2, True)
        leaders = nats.leaders("nats2")
        assert {name: group.leader for name, group in topology.groups.items()} == leaders
        assert topology.singletons == {"meta leader": leaders["meta"]}
        for name, member in topology.members.items():
            varz = nats.page(name, "/varz")
            told = (member.host, member.began, member.version, member.well)
            assert told == (name, varz["server_id"], varz["version"], True)
            assert refusals(topology, [name]) == ()
            assert await cluster.unsafe(topology, [name]) == ()
        assert not (await hosts.cluster(system=None).topology()).groups["meta"].movable

    play(scene)


def test_all_that_it_leads_leaves_a_member(nats: NatsServers, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        for _ in range(2):
            topology = await shown(cluster, healthy)
            member = topology.groups[STREAM].leader
            led = {group.id for group in topology.led_by(member)}
            moved = await cluster.evacuate(member, [], 10, None)
            print([(one.group, one.to, round(one.seconds, 3)) for one in moved])
            assert {one.group for one in moved} == led and all(one.left for one in moved), moved
            for name in NAMES:
                assert {nats.leaders(name)[one.group] for one in moved} == {m.to for m in moved}
            assert member not in {one.to for one in moved}
            assert await cluster.evacuate(member, [], 10, None) == (), "it leads nothing"

    play(scene)


def test_the_meta_group_is_moved_by_the_system_alone(nats: NatsServers, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        meta = (await shown(hosts.cluster(), healthy)).groups["meta"].leader
        moved = {m.group: m for m in await hosts.cluster(system=None).evacuate(meta, [], 10, None)}
        assert "no user of the system account" in moved["meta"].why
        assert nats.leaders("nats1")["meta"] == meta
        moved = {m.group: m for m in await hosts.cluster().evacuate(meta, [], 10, None)}
        assert moved["meta"].to not in ("", meta)

    play(scene)


def test_only_the_newest_rollout_moves_anything(nats: NatsServers, play: Play) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        leader = (await shown(cluster, healthy)).groups[STREAM].leader
        old, new = [await hosts.fence(leader, rollout) for rollout in ("r1", "r2")]
        with pytest.raises(FenceRefused):
            await cluster.evacuate(leader, [], 10, old)
        assert nats.leaders(leader)[STREAM] == leader
        moved = await cluster.evacuate(leader, [], 10, new)
        assert moved and all(one.left for one in moved)

    play(scene)


def test_a_user_of_another_account_moves_nothing(play: Play, nats: NatsServers) -> None:
    """It is let in, and the refusal may come too late: that the stream stays is what counts."""

    async def scene(hosts: Hosts) -> None:
        login = {"user": "sys", "password": "env:NATS_SYS"}
        cluster = hosts.cluster(accounts={"SHOP": login})
        leader = (await shown(cluster, healthy)).groups[STREAM].leader
        stayed = {m.group: m for m in await cluster.evacuate(leader, [], 1.0, None)}[STREAM]
        told = (f"{leader} names {leader}", "JetStream not enabled for account")
        assert not stayed.left and any(why in stayed.why for why in told), stayed
        assert nats.leaders(leader)[STREAM] == leader

    play(scene)


def test_a_login_that_is_refused_is_told_before(
    play: Play, nats: NatsServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        leader = topology.groups[STREAM].leader
        monkeypatch.setenv("NATS_SHOP", "falsch")
        (found,) = await cluster.unsafe(topology, [leader])
        assert found.code == "login-refused" and "Authorization Violation" in found.what
        assert "falsch" not in repr(found)
        none = hosts.cluster(accounts={})
        (found,) = [one for one in await none.unsafe(topology, [leader]) if one.where == STREAM]
        assert found.code == "no-login"

    play(scene)


def test_what_only_one_server_has_is_not_stopped(play: Play, nats: NatsServers) -> None:
    with nats.client("nats1") as client:
        for name, storage in (("KEPT", "file"), ("LOOSE", "memory")):
            config = {"name": name, "subjects": [f"{name}.*"], "storage": storage}
            client.api(f"STREAM.CREATE.{name}", {**config, "num_replicas": 1})
        client.publish_in_the_end("LOOSE.x", "one")

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        leaders = {key: value for name in NAMES for key, value in nats.leaders(name).items()}
        for group, code in (
            ("SHOP > KEPT", "single-replica"), ("SHOP > LOOSE", "single-replica-in-memory"),
        ):  # fmt: skip
            holder = leaders[group]
            found = {one.where: one for one in await cluster.unsafe(topology, [holder])}
            assert found[group].code == code
            assert found[group].absolute == (code != "single-replica")
            others = [name for name in NAMES if name != holder]
            told = await cluster.unsafe(topology, others)
            assert group not in {one.where for one in told}

    play(scene)
    with nats.client("nats1") as client:
        for name in ("KEPT", "LOOSE"):
            client.api(f"STREAM.DELETE.{name}")


def test_a_member_is_back_as_another_process(play: Play, nats: NatsServers) -> None:
    """With what was published while it was away."""

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        member, before = await idle(cluster)
        other = next(name for name in NAMES if name != member)
        same = await cluster.rejoined(member, before)
        assert not same.done and "still the process" in same.why and same.lag == 0
        nats.stop(member)
        down = await cluster.rejoined(member, before)
        assert not down.done and f"{member} does not answer" in down.why and down.lag is None
        topology = await cluster.topology()
        assert "silent-member" in codes(topology) and topology.members[member].host == member
        assert all(member not in group.in_sync for group in topology.groups.values())
        assert [f.absolute for f in refusals(topology, [other]) if f.code == "quorum-lost"]
        with nats.client(other) as client:
            for number in range(200):
                client.publish_in_the_end("orders.new", f"away-{number}")
        nats.start(member)
        answer = await back(lambda: cluster.rejoined(member, before))
        assert answer.lag is not None and answer.lag <= 20
        after = await shown(cluster, healthy)
        assert after.members[member].began != before.members[member].began
        await shown(cluster, lambda t: t.groups[STREAM].position[member] >= 200)
        assert (await cluster.rejoined("nats9", before)).why == "nats9 was no member before"

    play(scene)


def test_a_frozen_server_is_told_of_and_waited_for_in_time(play: Play, nats: NatsServers) -> None:
    """It answers nothing, and its connections are taken all the same."""

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(timeout="500ms")
        member, _ = await idle(cluster)
        nats.signal(member, signal.SIGSTOP)
        try:
            topology = await cluster.topology()
        finally:
            nats.signal(member, signal.SIGCONT)
        assert "silent-member" in codes(topology)
        assert not topology.members[member].well and member not in topology.asked
        await shown(cluster, healthy)

    play(scene)


def test_a_lame_duck_is_told_of(play: Play, nats: NatsServers) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        member, before = await idle(cluster)
        with nats.client(member):  # which it waits for
            nats.signal(member, signal.SIGUSR2)
            topology = await shown(cluster, lambda t: "unhealthy" in codes(t))
            (found,) = [one for one in topology.findings if one.code == "unhealthy"]
            assert found.member == member and "ready for connections" in found.what
            told = {one.code for one in await cluster.unsafe(topology, [member])}
            assert told == {"no-clients"}
            nats.stop(member, signal.SIGKILL)
        nats.start(member)
        await back(lambda: cluster.rejoined(member, before))
        await shown(cluster, healthy)

    play(scene)


def test_a_minority_is_believed_by_nobody(play: Play, nats: NatsServers) -> None:
    """The last of these: elections take seconds."""

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        await shown(cluster, healthy)
        for name in ("nats2", "nats3"):
            nats.stop(name, signal.SIGKILL)
        topology = await cluster.topology()
        assert all(not group.full and group.slack < 0 for group in topology.groups.values())
        assert "one-witness" in {one.code for one in refusals(topology, ["nats1"])}
        nats.stop("nats1", signal.SIGKILL)
        with pytest.raises(ClusterError, match="none of 3 hosts"):
            await cluster.topology()

    play(scene)
