"""Redis Cluster: shards of a master and its replicas, whose nodes agree among themselves.

1. Every node is asked, through the transport of its own host; what they say of each other has to be
   the same, or it is a finding.
2. A shard moves by ``CLUSTER FAILOVER``, said to the replica that has got furthest: it has its
   master hold back clients, gets the rest, and is voted in; nothing that was acknowledged is lost.
   Never FORCE or TAKEOVER, which do without the master. When it does not come to pass within a few
   seconds the cluster itself takes back everything, and the next best replica is asked.
   Of several shards one after the other: a master votes once in an epoch, and a replica that is
   not voted in by a majority tries again after seconds only, while its master holds clients back.
3. It has moved when every node says so, and when the old master follows the new one.
4. A node that was restarted is back when it has its node id and another process, follows its
   master, near its end, and every node finds it well.
5. Nothing of all this outlives its own few seconds, so there is nothing to restore.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.group import Kind
from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisClusterConfig
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.redis_answers import of_each
from gapless.drivers.clusters.redis_cluster_sight import Sight, topology
from gapless.drivers.clusters.redis_cluster_view import QUESTIONS, Told, told
from gapless.drivers.clusters.redis_findings import UNSAVED, unpersisted
from gapless.drivers.clusters.redis_talk import talks
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance

_ATTEMPTS = 2
_ATTEMPT = 8.0
"""Seconds for one: the cluster gives up by itself after five, and views take a moment."""
_LOOK = 0.05


class RedisCluster:
    """See ``Cluster``. ``hosts``: where its nodes run, one on each. Members are known
    by their node ids."""

    kind = "redis-cluster"

    def __init__(
        self,
        name: str,
        config: RedisClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._places = Places(hosts)
        self._ballot = asyncio.Lock()
        password = Password(name, config.user, config.password)
        self._servers = talks(
            name,
            hosts,
            lambda host: fill(config.address, Instance(name, host), address),
            transports,
            password=password,
            tls=config.tls,
            timeout=config.timeout,
        )

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All nodes, asked now."""
        return topology(await self._look(), self._config.lag)

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """A master among them that would come back empty. What nodes say of each other is in the
        topology's own findings."""
        sight = await self._look()
        return tuple(
            unpersisted(one)
            for one in members
            if one in sight.told
            and sight.told[one].server.replication.master
            and not sight.told[one].server.persistent
        )

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Its shard, when it is the master of one."""
        began = self._clock.monotonic()
        until = began + within
        tried: set[str] = set()
        shard, why = "", "there was no time for it beside other shards"
        for _ in range(_ATTEMPTS):
            try:
                sight = await self._look()
                shard = shard or _led(sight, member)
                if not _still(sight, shard, member):
                    return self._moved(shard, sight, began) if shard else ()
                async with self._ballot:
                    if self._clock.monotonic() >= until:
                        break
                    sight = await self._look()
                    if not _still(sight, shard, member):
                        return self._moved(shard, sight, began)
                    new = self._best(sight, member, targets, tried)
                    tried.add(new)
                    await self._admitted(sight, member, fence)
                    ends = min(until, self._clock.monotonic() + _ATTEMPT)
                    await self._voted_in(shard, new, ends)
                await self._settled(ends)
                seconds = self._clock.monotonic() - began
                return (Moved(shard, to=new, seconds=seconds),)
            except ClusterError as error:
                why = f"{error.what}: {error.evidence}" if error.evidence else error.what
        return (Moved(shard, why=why, seconds=self._clock.monotonic() - began),)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Its orderly stop writes down what it holds, where it is told to at all."""
        found = (await self._look()).told.get(member)
        return UNSAVED if found is not None and not found.server.persistent else ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back in its shard, and every node knows."""
        sight = await self._look()
        found, known = sight.told.get(member), before.members.get(member)
        if found is None:
            return Rejoined(False, self._absent(sight, member, known.host if known else ""))
        lag = _lag(sight, found)
        if known is not None and known.began == found.server.life:
            return Rejoined(False, f"it is still the process {found.server.life[:8]}", lag)
        why = _missing(topology(sight, self._config.lag), member, before)
        return Rejoined(done=not why, why=why, lag=lag)

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing: what a failover holds back the cluster itself lets go after five seconds."""

    async def _look(self) -> Sight:
        asked = {host: talk.facts(QUESTIONS, told) for host, talk in self._servers.items()}
        answers = await of_each(asked)
        return Sight.of(answers.said, answers.silent, self._places)

    def _best(
        self, sight: Sight, member: str, targets: Collection[str], tried: Collection[str]
    ) -> str:
        """Of the replicas in sync one of ``targets`` if there is one, and the furthest of those;
        one that failed only when there is no other."""
        replicas = sight.replicas(member)
        fit = [one for one in replicas if not sight.trouble(one, self._config.lag)]
        if not fit:
            shown = "; ".join(
                f"{one[:8]}: {sight.trouble(one, self._config.lag)}" for one in replicas
            )
            raise ClusterError("no replica can take over", where=member, evidence=shown)
        return max(
            fit,
            key=lambda one: (
                one not in tried,
                one in targets,
                sight.told[one].server.replication.offset,
            ),
        )

    async def _admitted(self, sight: Sight, member: str, fence: Fence | None) -> None:
        """The fence is that of the member's own host, and hosts count their rollouts apart: it is
        compared there, before anything is ordered elsewhere."""
        if fence is not None and member in sight.told:
            await self._servers[sight.hosts[member]].ask(("PING",), fence=fence)

    async def _voted_in(self, shard: str, new: str, until: float) -> None:
        """The replica is the master for every node."""
        await self._servers[self._places.host(new) or ""].ask(("CLUSTER", "FAILOVER"))
        while (sight := await self._look()).shards.get(shard) != new:
            if self._clock.monotonic() >= until:
                raise ClusterError(
                    f"{new} did not become the master of {shard} for every node in time",
                    where=self._name,
                    evidence=f"CLUSTER NODES → {sight.shards.get(shard) or 'they differ'}",
                )
            await self._clock.sleep(_LOOK)

    async def _settled(self, until: float) -> None:
        """Nothing is wrong any more, as far as there is time: what comes next asks whether the old
        master may be stopped."""
        while topology(await self._look(), self._config.lag).findings:
            if self._clock.monotonic() >= until:
                return
            await self._clock.sleep(_LOOK)

    def _moved(self, shard: str, sight: Sight, began: float) -> tuple[Moved, ...]:
        return (Moved(shard, sight.shards.get(shard, ""), seconds=self._clock.monotonic() - began),)

    def _absent(self, sight: Sight, member: str, host: str) -> str:
        if host in sight.silent:
            return sight.silent[host].what
        other = next((one for one, at in sight.hosts.items() if at == host and one != member), "")
        if other:
            return f"it came back as another node, {other}: its nodes.conf is lost"
        return "no host answers as this node"


def _led(sight: Sight, member: str) -> str:
    """The shard that it is the master of, "" where it is none. Raises ClusterError where nobody
    who answers knows it: then nobody can tell."""
    node = sight.nodes.get(member)
    if node is None:
        told = "; ".join(f"{host}: {error.what}" for host, error in sight.silent.items())
        raise ClusterError("no node that answers knows it", where=member, evidence=told)
    return "" if node.master else node.shard


def _still(sight: Sight, shard: str, member: str) -> bool:
    """Whether it may be the master of that shard: nobody else is, by the word of all."""
    return bool(shard) and sight.shards.get(shard) in ("", member)


def _lag(sight: Sight, found: Told) -> int | None:
    own = found.server.replication
    if own.master:
        return 0
    master = sight.told.get(found.nodes[found.id].master)
    if own.left is not None or master is None:
        return own.left
    return own.behind(master.server.replication)


def _missing(now: Topology, member: str, before: Topology) -> str:
    """What is missing until all is as before."""
    if now.members[member].trouble:
        return now.members[member].trouble
    for group in before.groups_of(member):
        # Who hands its role over is none of the masters any more, and that is as it should be.
        held = now.groups.get(group.id)
        if group.kind is Kind.PRIMARY and (held is None or member not in held.members):
            return f"it has no part in {group.id} any more"
    found = next((one for one in now.findings if one.where == member), None)
    return found.what if found else ""
