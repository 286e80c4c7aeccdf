"""The driver for etcd with real members: who they are, who leads, who is back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from gapless.clock import LoopClock
from gapless.clusters.group import Kind
from gapless.clusters.topology import Topology
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster, Rejoined
from gapless.drivers.clusters.etcd import EtcdCluster
from gapless.drivers.transports.base import Claim, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence

from .etcd_cluster import EtcdMembers, Writer

_PATIENCE = 40.0


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdMembers]:
    members = EtcdMembers(tmp_path)
    try:
        yield members
    finally:
        members.end()


class Hosts:
    """A transport for each, all of them on this machine."""

    def __init__(self, etcd: EtcdMembers, folder: Path) -> None:
        self._etcd = etcd
        self._folder = folder
        self._open: dict[str, LocalTransport] = {}

    def transport(self, host: str) -> Transport:
        if host not in self._open:
            state = str(self._folder / f"{host}-state")
            config = HostConfig(transport="local", sudo=False, state_dir=state)
            self._open[host] = LocalTransport(host, config)
        return self._open[host]

    async def fence(self, host: str, rollout: str) -> Fence:
        claim = Claim("etcd", rollout, "somebody", "here", os.getpid(), 0.0)
        claimed = await self.transport(host).claim(claim, take_over=True)
        assert claimed.fence
        return claimed.fence

    def cluster(self, *hosts: str, **config: Any) -> EtcdCluster:
        config.setdefault("url", f"http://{{address}}:{self._etcd.client_port}")
        return EtcdCluster(
            "keys",
            EtcdClusterConfig.model_validate(config),
            hosts or ("etcd1", "etcd2", "etcd3"),
            self.transport,
            LoopClock(),
            address=self._etcd.address,
        )

    async def close(self) -> None:
        for transport in self._open.values():
            await transport.close()


@asynccontextmanager
async def hosts_of(etcd: EtcdMembers, folder: Path) -> AsyncIterator[Hosts]:
    hosts = Hosts(etcd, folder)
    for name in ("etcd1", "etcd2", "etcd3", "etcd4"):
        await hosts.transport(name).connect()
    try:
        yield hosts
    finally:
        await hosts.close()


def play(
    etcd: EtcdMembers, folder: Path, scene: Callable[[Hosts], Coroutine[Any, Any, None]]
) -> None:
    async def whole() -> None:
        async with hosts_of(etcd, folder) as hosts:
            await scene(hosts)

    asyncio.run(whole())


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
    return not topology.findings and topology.groups["raft"].full


def codes(topology: Topology) -> set[str]:
    return {finding.code for finding in topology.findings}


def id_on(topology: Topology, host: str) -> str:
    member = topology.on(host)
    assert member, topology
    return member.id


def test_a_healthy_cluster_has_one_group_of_its_voters(etcd: EtcdMembers, tmp_path: Path) -> None:
    names = etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster: Cluster = hosts.cluster()
        assert (cluster.name, cluster.kind) == ("keys", "etcd")
        topology = await shown(cluster, healthy)
        group = topology.groups["raft"]
        assert (group.kind, group.minimum, group.slack) == (Kind.QUORUM, 2, 1)
        assert set(topology.asked) == set(group.members) == set(topology.members)
        assert {id_on(topology, name): name for name in names} == {etcd.id(n): n for n in names}
        assert group.leader == etcd.leader("etcd1")
        assert max(group.position.values()) >= 3 and set(group.position) == set(group.members)
        assert sorted(m.role for m in topology.members.values()) == [
            "follower", "follower", "leader",
        ]  # fmt: skip
        assert {member.address for member in topology.members.values()} == set(map(etcd.url, names))
        again = await cluster.topology()
        began = {member.id: member.began for member in again.members.values()}
        assert began == {member.id: member.began for member in topology.members.values()}
        assert all(began.values()) and all(m.version for m in again.members.values())
        assert await cluster.unsafe(topology, list(topology.members)) == ()
        assert await cluster.seal(group.leader, None) == ""
        await cluster.restore(group.leader, None)

    play(etcd, tmp_path, scene)


def test_the_leader_hands_over_to_whom_was_asked_for(etcd: EtcdMembers, tmp_path: Path) -> None:
    names = etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        leader = topology.groups["raft"].leader
        for target in sorted(set(topology.members) - {leader}):
            assert await cluster.evacuate(target, [leader], 10, None) == (), "it leads nothing"
            (moved,) = await cluster.evacuate(leader, [target], 10, None)
            assert moved.left and (moved.group, moved.to) == ("raft", target), moved
            assert {etcd.leader(name) for name in names} == {target}
            leader = target

    play(etcd, tmp_path, scene)


def test_only_the_newest_rollout_moves_the_leader(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        leader = topology.members[topology.groups["raft"].leader]
        old, new = [await hosts.fence(leader.host, rollout) for rollout in ("r1", "r2")]
        with pytest.raises(FenceRefused):
            await cluster.evacuate(leader.id, [], 10, old)
        assert etcd.leader(leader.host) == leader.id
        (moved,) = await cluster.evacuate(leader.id, [], 10, new)
        assert moved.left and etcd.leader(leader.host) == moved.to != leader.id

    play(etcd, tmp_path, scene)


def test_a_leader_without_followers_says_why_it_stays(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin(1)

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster("etcd1")
        topology = await shown(cluster, healthy)
        assert topology.groups["raft"].slack == 0
        (moved,) = await cluster.evacuate(id_on(topology, "etcd1"), [], 5, None)
        assert not moved.left and moved.why == "no follower is in sync"

    play(etcd, tmp_path, scene)


def test_a_member_is_back_as_another_process(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        member = id_on(before, "etcd2")
        same = await cluster.rejoined(member, before)
        assert not same.done and "still the process" in same.why
        etcd.stop("etcd2")
        down = await cluster.rejoined(member, before)
        assert not down.done and f"{member} does not answer" in down.why and down.lag is None
        etcd.start("etcd2")
        answer = await back(lambda: cluster.rejoined(member, before))
        assert answer.why == "" and answer.lag is not None and answer.lag <= 10
        after = await shown(cluster, healthy)
        assert after.members[member].began != before.members[member].began
        nobody = await cluster.rejoined("f00", before)
        assert not nobody.done and nobody.why == "f00 was no member before"

    play(etcd, tmp_path, scene)


def test_a_killed_member_leaves_no_slack(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        leader = before.groups["raft"].leader
        killed = next(one for one in before.members.values() if one.id != leader)
        etcd.kill(killed.host)
        topology = await cluster.topology()
        assert codes(topology) == {"silent-member"}
        (finding,) = topology.findings
        assert finding.where == killed.id and killed.host in finding.what
        assert "2 of 2 lists have it" in finding.evidence
        group = topology.groups["raft"]
        assert (group.slack, group.minimum) == (0, 2) and killed.id not in group.in_sync
        assert topology.members[killed.id].host == killed.host, "by the address it is listed with"
        assert topology.members[killed.id].trouble == "does not answer"
        (moved,) = await cluster.evacuate(leader, [killed.id], 10, None)
        assert moved.left and moved.to not in (killed.id, leader), "to one that is in sync"
        etcd.start(killed.host)
        await shown(cluster, healthy)

    play(etcd, tmp_path, scene)


def test_a_frozen_leader_is_told_of_in_time(etcd: EtcdMembers, tmp_path: Path) -> None:
    """It answers nothing, and its connections are taken all the same."""
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(timeout="500ms")
        before = await shown(cluster, healthy)
        leader = before.members[before.groups["raft"].leader]
        with etcd.frozen(leader.host):
            topology = await shown(
                cluster, lambda t: t.groups["raft"].leader not in ("", leader.id)
            )
            assert topology.members[leader.id].trouble == "does not answer"
            assert await cluster.evacuate(leader.id, [], 5, None) == (), "it leads no more"
        await shown(cluster, healthy)

    play(etcd, tmp_path, scene)


def test_a_member_that_was_wiped_is_another_one(etcd: EtcdMembers, tmp_path: Path) -> None:
    names = etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        member = id_on(before, "etcd3")
        etcd.stop("etcd3")
        etcd.wipe("etcd3")
        etcd.remove("etcd1", member)
        gone = await cluster.rejoined(member, before)
        assert not gone.done and "not in the list of members any more" in gone.why
        etcd.add("etcd1", "etcd3")
        unstarted = await shown(cluster, lambda t: len(t.groups["raft"].members) == 3)
        new = next(iter(set(unstarted.members) - set(before.members)))
        assert unstarted.members[new].trouble == "has never started"
        assert {"unknown-member", "host-without-member"} <= codes(unstarted)
        etcd.start("etcd3", names, state="existing")
        after = await shown(cluster, healthy)
        assert id_on(after, "etcd3") == new != member
        answer = await cluster.rejoined(member, before)
        assert not answer.done and "another identity" in answer.why and new in answer.why

    play(etcd, tmp_path, scene)


def test_a_full_disk_is_an_alarm(etcd: EtcdMembers, tmp_path: Path) -> None:
    names = ["etcd1", "etcd2", "etcd3"]
    etcd.begin()
    etcd.stop("etcd2")
    etcd.start("etcd2", names, "--quota-backend-bytes", "65536")

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        member = id_on(before, "etcd2")
        etcd.wait(lambda: _full(etcd, "etcd2"), "a full disk")
        topology = await shown(cluster, lambda t: "3 of 3" in str([f.evidence for f in t.findings]))
        (finding,) = topology.findings
        assert (finding.code, finding.where) == ("alarm", member)
        assert "NOSPACE" in finding.what and "disarm" in finding.next
        assert topology.groups["raft"].in_sync == set(topology.members) - {member}
        assert topology.members[member].trouble == "reports NOSPACE"

    play(etcd, tmp_path, scene)


def _full(etcd: EtcdMembers, name: str) -> bool:
    with suppress(HTTPError):  # refused, when it is full
        etcd.put(name, "big", "x" * 20_000)
    return bool(etcd.status(name).get("errors"))


def test_a_learner_is_no_voter_and_keeps_its_leader(etcd: EtcdMembers, tmp_path: Path) -> None:
    names = etcd.begin()
    etcd.add("etcd1", "etcd4", learner=True)
    etcd.start("etcd4", [*names, "etcd4"], state="existing")
    etcd.wait(lambda: etcd.status("etcd4"), "the learner")

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(*names, "etcd4")
        topology = await shown(cluster, lambda t: codes(t) == {"learner"})
        learner = id_on(topology, "etcd4")
        assert topology.members[learner].role == "learner"
        group = topology.groups["raft"]
        assert learner not in group.members and (group.minimum, group.slack) == (2, 1)
        leader = group.leader
        (unsafe,) = await cluster.unsafe(topology, [leader])
        assert (unsafe.code, unsafe.where) == ("feeds-learner", leader) and learner in unsafe.what
        others = sorted(set(group.members) - {leader})
        assert await cluster.unsafe(topology, others) == ()
        (moved,) = await cluster.evacuate(leader, [learner], 10, None)
        assert moved.left and moved.to in others, "a learner cannot lead"
        without = await hosts.cluster().topology()
        assert codes(without) == {"learner", "unknown-member"}

    play(etcd, tmp_path, scene)


def test_two_members_have_no_slack(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin(2)

    async def scene(hosts: Hosts) -> None:
        topology = await shown(hosts.cluster("etcd1", "etcd2"), healthy)
        group = topology.groups["raft"]
        assert (group.slack, group.minimum, group.ever_safe) == (0, 2, False)
        more = await hosts.cluster("etcd1", "etcd2", "etcd4").topology()
        (finding,) = more.findings
        assert (finding.code, finding.where) == ("host-without-member", "etcd4")

    play(etcd, tmp_path, scene)


def test_a_minority_has_nobody_in_sync(etcd: EtcdMembers, tmp_path: Path) -> None:
    """Its word is asked without a majority, and nobody is believed without one."""
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        etcd.kill("etcd2")
        etcd.kill("etcd3")
        topology = await shown(cluster, lambda t: "no-leader" in codes(t))
        assert codes(topology) == {"no-leader", "silent-member", "member-error"}
        assert topology.groups["raft"].slack == -2 and not topology.groups["raft"].leader
        etcd.kill("etcd1")
        with pytest.raises(ClusterError, match="none of 3 hosts"):
            await cluster.topology()
        assert not (await cluster.rejoined(id_on(before, "etcd1"), before)).done

    play(etcd, tmp_path, scene)


def test_hosts_that_ask_one_member_are_never_good_enough(etcd: EtcdMembers, tmp_path: Path) -> None:
    etcd.begin()

    async def scene(hosts: Hosts) -> None:
        topology = await hosts.cluster(url=etcd.url("etcd1")).topology()
        twice = next(one for one in topology.findings if one.code == "member-asked-twice")
        assert twice.absolute and twice.where == etcd.id("etcd1")
        assert topology.members[twice.where].host == "", "it runs on one of them"

    play(etcd, tmp_path, scene)


def test_a_login_is_a_token(
    etcd: EtcdMembers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = etcd.begin()
    etcd.call("etcd1", "/v3/auth/user/add", {"name": "root", "password": "geheim"})
    etcd.call("etcd1", "/v3/auth/user/grant", {"user": "root", "role": "root"})
    etcd.call("etcd1", "/v3/auth/enable", {})
    monkeypatch.setenv("ETCD_PASSWORD", "geheim")
    login = {"user": "root", "password": "env:ETCD_PASSWORD"}

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(login=login)
        before = await shown(cluster, healthy)
        etcd.stop("etcd2")
        etcd.start("etcd2")
        await back(lambda: cluster.rejoined(id_on(before, "etcd2"), before))
        leader = (await shown(cluster, healthy)).groups["raft"].leader
        (moved,) = await cluster.evacuate(leader, [], 10, None)
        assert moved.left
        monkeypatch.setenv("ETCD_PASSWORD", "falsch")
        with pytest.raises(ClusterError) as caught:
            await hosts.cluster(login=login).topology()
        assert all(f"{name}: etcd on {name} does not let in" in caught.value.evidence
                   for name in names)  # fmt: skip
        assert "falsch" not in caught.value.evidence

    play(etcd, tmp_path, scene)


def test_nothing_acknowledged_is_lost_by_a_restart_of_all(
    etcd: EtcdMembers, tmp_path: Path
) -> None:
    """Followers first, the leader when it leads no more, under writes."""
    names = etcd.begin()

    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        at_first = await shown(cluster, healthy)
        leader = at_first.groups["raft"].leader
        with Writer(etcd, names) as writer:
            for member in sorted(at_first.members, key=lambda one: one == leader):
                await _restarted(etcd, cluster, member)
                await asyncio.to_thread(writer.goes_on)
        after = await shown(cluster, healthy)
        began = {member.id: member.began for member in at_first.members.values()}
        assert set(after.members) == set(began)
        assert all(one.began != began[one.id] for one in after.members.values())
        for name in names:
            found = etcd.keys(name, "written/")
            lost = {key for key, value in writer.acknowledged.items() if found.get(key) != value}
            assert not lost and len(writer.acknowledged) > 15

    play(etcd, tmp_path, scene)


async def _restarted(etcd: EtcdMembers, cluster: Cluster, member: str) -> None:
    before = await shown(cluster, lambda t: healthy(t) and t.groups["raft"].slack == 1)
    others = sorted(set(before.members) - {member})
    for moved in await cluster.evacuate(member, others, 10, None):
        assert moved.left, moved
    host = before.members[member].host
    await asyncio.to_thread(etcd.stop, host)
    etcd.start(host)
    await back(lambda: cluster.rejoined(member, before))
