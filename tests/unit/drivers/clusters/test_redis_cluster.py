"""What nodes of Redis Cluster say, judged without one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.group import Kind
from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisClusterConfig
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.redis_cluster import RedisCluster
from gapless.drivers.clusters.redis_cluster_sight import MASTERS, Sight, topology
from gapless.drivers.clusters.redis_cluster_view import SLOTS, Told, nodes
from gapless.drivers.clusters.redis_resp import NonsenseError
from gapless.drivers.clusters.redis_view import Replication, Server
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.testing.virtual_time import run_virtual

IDS = tuple(letter * 40 for letter in "abcdef")
A, B, C, D, E, F = IDS
SLOTS_OF = ("0-5460", "5461-10922", "10923-16383")
HOSTS = {f"h{n}": one for n, one in enumerate(IDS)}


def lines(own: str, **changed: str) -> str:
    """CLUSTER NODES of a healthy one; by first letter of an id another line."""
    told = []
    for n, one in enumerate(IDS):
        flags = ("myself," if one == own else "") + ("master" if n < 3 else "slave")
        follows = "-" if n < 3 else IDS[n - 3]
        slots = SLOTS_OF[n] if n < 3 else ""
        line = f"{one} 10.0.0.{n}:6379@16379 {flags} {follows} 0 1 {n} connected {slots}"
        told.append(changed.get(one[0], line).replace("{flags}", flags).rstrip())
    return "\n".join(told)


def told(own: str, *, offset: int = 100, linked: bool = True, **changed: str) -> Told:
    master = own in (A, B, C)
    place = Replication("master" if master else "replica", "h", offset, linked=linked)
    _, found = nodes(lines(own, **changed))
    return Told(own, Server(f"life-{own[0]}", "7.0.15", place), found, "ok", SLOTS)


def look(
    changed: dict[str, Told] | None = None, silent: dict[str, ClusterError] | None = None
) -> Topology:
    said = {host: (changed or {}).get(one) or told(one) for host, one in HOSTS.items()}
    said = {host: one for host, one in said.items() if host not in (silent or {})}
    return topology(Sight.of(said, silent or {}, Places(tuple(HOSTS))), lag=50)


def codes(seen: Topology) -> set[tuple[str, str]]:
    return {(one.where[0], one.code) for one in seen.findings}


def test_a_healthy_one() -> None:
    seen = look()
    assert not seen.findings
    *shards, masters = seen.groups.values()
    assert [one.id for one in shards] == [f"slots {one}" for one in SLOTS_OF]
    assert shards[0].members == (A, D) and shards[0].leader == A and shards[0].slack == 1
    assert (masters.id, masters.kind, masters.members) == (MASTERS, Kind.QUORUM, (A, B, C))
    assert all(refusals(seen, [one]) == () for one in seen.members)  # nobody has to lead masters
    assert masters.minimum == 2 and {one.host for one in seen.members.values()} == set(HOSTS)


def test_a_view_that_differs_is_a_finding_and_its_shard_has_no_master() -> None:
    d = f"{D} 10.0.0.3:6379@16379 {{flags}} - 0 1 7 connected 0-5460".replace("{flags}", "master")
    a = f"{A} 10.0.0.0:6379@16379 slave {D} 0 1 7 connected"
    seen = look({F: told(F, d=d, a=a)})
    assert {("a", "redis-views-differ"), ("d", "redis-views-differ")} == codes(seen)
    assert seen.groups["slots 0-5460"].leader == ""
    (found,) = (one for one in seen.findings if one.where == A)
    assert "6 nodes hold it for 2" in found.what and "ffffffff" in found.evidence


def test_a_node_that_one_takes_for_failing_is_not_in_sync() -> None:
    d = f"{D} 10.0.0.3:6379@16379 slave,fail? {A} 0 1 0 connected"
    seen = look({B: told(B, d=d)})
    assert codes(seen) == {("d", "redis-flagged"), ("a", "redis-no-replica")}
    assert seen.groups["slots 0-5460"].slack == 0


def test_a_replica_without_its_link_and_one_that_is_behind() -> None:
    seen = look({D: told(D, linked=False), E: told(E, offset=10)})
    assert {("d", "redis-not-in-sync"), ("e", "redis-not-in-sync")} <= codes(seen)
    assert {("a", "redis-no-replica"), ("b", "redis-no-replica")} <= codes(seen)
    assert {one.member for one in seen.findings} == {D, E}  # who would mend it by a restart


def test_slots_that_nobody_serves_and_slots_on_their_way() -> None:
    a = f"{A} 10.0.0.0:6379@16379 {{flags}} - 0 1 0 connected 0-5460 [77->-{B}]"
    down = replace(told(B), state="fail", covered=SLOTS - 1)
    seen = look({A: told(A, a=a), B: down})
    assert codes(seen) == {("b", "redis-cluster-down"), ("a", "redis-slots-moving")}


def test_one_that_is_silent_keeps_its_place() -> None:
    silent = {"h3": ClusterError("Redis on h3 does not answer", evidence="refused")}
    seen = look(silent=silent)
    assert ("d", "redis-silent") in codes(seen)
    assert (member := seen.on("h3")) and member.id == D and member.trouble


def test_one_that_none_of_our_hosts_runs() -> None:
    said = {host: told(one) for host, one in HOSTS.items() if one != F}
    seen = topology(Sight.of(said, {}, Places(tuple(said))), lag=50)
    assert ("f", "redis-not-ours") in codes(seen) and seen.members[F].host == ""


def test_a_master_without_slots_does_not_vote() -> None:
    c = f"{C} 10.0.0.2:6379@16379 {{flags}} - 0 1 2 connected"
    seen = look({one: told(one, c=c) for one in IDS})
    assert seen.groups[MASTERS].members == (A, B)


@pytest.mark.parametrize("text", ["", "xyzzy", "ERR This instance has cluster support disabled"])
def test_what_is_not_a_cluster_is_nonsense(text: str) -> None:
    with pytest.raises(NonsenseError):
        nodes(text)


def test_what_came_back_as_another_node_takes_over_its_place() -> None:
    places = Places(("h1", "h2"))
    assert places.hosts({"h1": A, "h2": B}, [A, B]) == {A: "h1", B: "h2"}
    assert places.hosts({"h1": A, "h2": C}, [A, B, C]) == {A: "h1", C: "h2"}
    assert places.hosts({"h1": A}, [A, C]) == {A: "h1", C: "h2"}


class Voting(RedisCluster):
    """Each vote takes ``seconds``; ``votes``: which were under way when one began."""

    def __init__(self, seconds: float) -> None:
        config = RedisClusterConfig.model_validate({})
        super().__init__("cache", config, tuple(HOSTS), _nowhere, LoopClock())
        self.seconds, self.votes, self._under_way = seconds, list[int](), 0

    async def _look(self) -> Sight:
        return Sight.of({host: told(one) for host, one in HOSTS.items()}, {}, self._places)

    async def _voted_in(self, shard: str, new: str, until: float) -> None:
        self.votes.append(self._under_way)
        self._under_way += 1
        await asyncio.sleep(self.seconds)
        self._under_way -= 1
        if self._clock.monotonic() >= until:
            raise ClusterError("not voted in", where=new)

    def all_at_once(self, within: float) -> dict[str, tuple[Moved, ...]]:
        async def scene() -> list[tuple[Moved, ...]]:
            return await asyncio.gather(*(self.evacuate(o, (), within, None) for o in (A, B, C, D)))

        return dict(zip((A, B, C, D), run_virtual(scene()), strict=True))


def _nowhere(host: str) -> Transport:
    raise AssertionError(host)


def test_masters_are_voted_in_one_after_the_other() -> None:
    """They vote once in an epoch: of three at once two would be refused, and wait for seconds."""
    cluster = Voting(0.2)
    moved = cluster.all_at_once(5.0)
    assert cluster.votes == [0, 0, 0]
    assert [len(moved[one]) for one in (A, B, C, D)] == [1, 1, 1, 0]
    assert {one.group for (one,) in (moved[A], moved[B], moved[C])} == {
        f"slots {slots}" for slots in SLOTS_OF
    }


def test_who_had_no_time_says_of_which_shard() -> None:
    moved = Voting(6.0).all_at_once(5.0)
    assert moved[D] == (), "who leads nothing waits for nobody"
    whys = {one.group: (one.left, one.why) for (one,) in (moved[A], moved[B], moved[C])}
    assert whys == {
        f"slots {SLOTS_OF[0]}": (False, "not voted in"),
        f"slots {SLOTS_OF[1]}": (False, "there was no time for it beside other shards"),
        f"slots {SLOTS_OF[2]}": (False, "there was no time for it beside other shards"),
    }
