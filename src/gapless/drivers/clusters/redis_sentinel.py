"""Redis with Sentinel: one master, its replicas, and sentinels that name it to clients.

1. Every server and every sentinel is asked, each through the transport of its own host: nothing of
   it has to be reachable from the controller.
2. The one group holds as long as the master answers, with as many replicas as it wants to see
   (``min-replicas-to-write``). It is led by whom all sentinels name.
3. The role moves as ``redis_sentinel_move`` says: paused, equal, promoted, and the old one made a
   replica before it could take another write. When replicas are too slow the next attempt does
   without them.
4. A server that was restarted is back when it is another process that follows the master, near its
   end, and every sentinel finds it well.
5. What an order leaves behind shows by itself: a pause ends after fifteen seconds, and a priority
   or a sentinel's period that was changed has a value that nobody else would set. So ``restore``
   needs to remember nothing, and works for another controller, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.redis_answers import of_each
from gapless.drivers.clusters.redis_findings import UNSAVED, unpersisted
from gapless.drivers.clusters.redis_resp import Reply
from gapless.drivers.clusters.redis_sentinel_choice import chosen
from gapless.drivers.clusters.redis_sentinel_move import (
    REWRITE,
    RedisSentinelMove,
    TooSlow,
    following,
    named_by_all,
    welcomed,
)
from gapless.drivers.clusters.redis_sentinel_return import rejoined
from gapless.drivers.clusters.redis_sentinel_sight import (
    SHUNNED,
    Placed,
    Sight,
    topology,
    unpausable,
)
from gapless.drivers.clusters.redis_sentinel_timing import Timing
from gapless.drivers.clusters.redis_sentinel_view import doors, questions, watch
from gapless.drivers.clusters.redis_talk import talks
from gapless.drivers.clusters.redis_view import QUESTIONS, server
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance

_ATTEMPTS = 2
_LOOK = 0.1
_TOGETHER = 15.0
"""Seconds for servers to find together behind a new master; no failure when it takes longer."""


class RedisSentinel:
    """See ``Cluster``. ``hosts`` are those of the servers. A member's id is the address that
    sentinels have for it: Redis has no identity that outlives the process."""

    kind = "redis-sentinel"

    def __init__(
        self,
        name: str,
        config: RedisSentinelConfig,
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
        password = Password(name, config.user, config.password)
        guard = Password(name, config.sentinel_user, config.sentinel_password)
        self._servers = talks(
            name,
            hosts,
            lambda host: fill(config.address, Instance(name, host), address),
            transports,
            password=password,
            tls=config.tls,
            timeout=config.timeout,
        )
        self._sentinels = talks(
            name,
            config.sentinels or tuple(hosts),
            lambda host: fill(config.sentinel, Instance(name, host), address),
            transports,
            password=guard,
            tls=config.sentinel_tls,
            timeout=config.timeout,
            sentinel=True,
        )

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All servers and all sentinels, asked now."""
        return topology(await self._look(), self._config)

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """A master among them that would come back empty, or cannot be moved without a loss. What
        sentinels and links say against it is in the topology's own findings."""
        placed = await self._look()
        masters = {
            member: found
            for member in members
            if (found := placed.servers.get(member)) and found.replication.master
        }
        empty = (unpersisted(one) for one, found in masters.items() if not found.persistent)
        old = (unpausable(one, found) for one, found in masters.items() if not found.pauses)
        return (*empty, *old)

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """The role of the master, when it has that; then every client has to connect anew. Waits
        until the servers have found together again, where the time is enough."""
        began = self._clock.monotonic()
        until = began + within
        slow: frozenset[str] = frozenset()
        why = "there was no time for it"
        for attempt in range(_ATTEMPTS):
            if attempt and self._clock.monotonic() >= until:
                break
            try:
                placed = await self._look()
                if self._leads_nothing(placed, member):
                    return () if not attempt else (self._moved(placed.sight.master, began),)
                new = await self._move(placed, member, targets, slow, until, fence)
                return (await self._settled(member, new, began, until),)
            except TooSlow as error:
                slow |= error.slow
                why = _told(error)
            except ClusterError as error:
                why = _told(error)
        seconds = self._clock.monotonic() - began
        return (Moved(self._config.master, why=why, seconds=seconds),)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Its orderly stop writes down what it holds, where it is told to at all."""
        found = (await self._look()).servers.get(member)
        return UNSAVED if found is not None and not found.persistent else ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it follows the master again, and everybody knows."""
        return rejoined(await self._look(), member, before, self._config)

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Takes back the pause of a master, and what was set for the time of a failover. An
        old master that sentinels have replaced meanwhile is made a replica first: it must not take
        a write that would be lost."""
        placed = await self._look()
        if fence is not None and member in placed.servers:  # as the move does it
            await self._servers[placed.hosts[member]].ask(("PING",), fence=fence)
        await self._unpaused(placed, member, fence)
        for one, found in placed.servers.items():
            if found.priority >= SHUNNED:
                talk = self._servers[placed.hosts[one]]
                await welcomed(talk, found.priority % SHUNNED)
        for host in placed.sight.watches:
            await Timing(self._config.master, self._sentinels[host], self._clock).undo()

    async def _look(self) -> Placed:
        servers = await of_each(
            {host: talk.facts(QUESTIONS, server) for host, talk in self._servers.items()}
        )
        asked = questions(self._config.master)
        watches = await of_each(
            {host: talk.facts(asked, watch) for host, talk in self._sentinels.items()}
        )
        sight = Sight(servers.said, watches.said, silent=servers.silent, mute=watches.silent)
        return Placed.of(replace(sight, doors=await self._doors(sight)), self._places)

    async def _doors(self, sight: Sight) -> dict[str, frozenset[str]]:
        """For servers that sentinels have not asked yet since they began. Clients may be many, so
        nobody else is asked for theirs."""
        asked = {
            host: self._servers[host].facts((("CLIENT", "LIST", "TYPE", "normal"),), _doors_in)
            for host, found in sight.servers.items()
            if found.life not in sight.lives
        }
        return dict((await of_each(asked)).said)

    def _leads_nothing(self, placed: Placed, member: str) -> bool:
        found = placed.servers.get(member)
        if found is None and placed.sight.master in ("", member):
            raise ClusterError("it does not answer, so nobody can tell", where=member)
        says = found is not None and found.replication.master
        return placed.sight.master != member and not says

    async def _move(
        self,
        placed: Placed,
        member: str,
        targets: Collection[str],
        slow: Collection[str],
        until: float,
        fence: Fence | None,
    ) -> str:
        """To whom it went."""
        choice = chosen(placed, member, targets, slow, self._config.lag)
        talks = {one: self._servers[host] for one, host in placed.hosts.items()}
        sentinels = {host: self._sentinels[host] for host in placed.sight.watches}
        master = self._config.master
        move = RedisSentinelMove(master, choice, talks, sentinels, self._clock, fence)
        return await move.run(until)

    async def _settled(self, old: str, new: str, began: float, until: float) -> Moved:
        """All sentinels name the new master; then, as far as there is time, nothing is wrong any
        more: what comes next asks whether the old one may be stopped."""
        while await named_by_all(self._config.master, self._sentinels) != new:
            if self._clock.monotonic() >= until:
                why = f"it is a replica of {new}, but not all sentinels name that one yet"
                seconds = self._clock.monotonic() - began
                return Moved(self._config.master, new, why, seconds)
            await self._clock.sleep(_LOOK)
        moved = self._moved(new, began)
        until = min(until, self._clock.monotonic() + _TOGETHER)
        while (await self.topology()).findings and self._clock.monotonic() < until:
            await self._clock.sleep(_LOOK)
        return moved

    def _moved(self, new: str, began: float) -> Moved:
        return Moved(self._config.master, to=new, seconds=self._clock.monotonic() - began)

    async def _unpaused(self, placed: Placed, member: str, fence: Fence | None) -> None:
        found = placed.servers.get(member)
        if found is None or not found.replication.master:
            return
        talk, master = self._servers[placed.hosts[member]], placed.sight.master
        others = [
            one
            for one, other in placed.servers.items()
            if one != member and other.replication.master
        ]
        if master and master in others:
            await talk.ask(following(master), fence=fence)
            await talk.say(REWRITE, fence=fence)
        elif others:
            return  # sentinels are about to name one of them; until then it had better stay paused
        await talk.ask(("CLIENT", "UNPAUSE"), fence=fence)


def _doors_in(replies: tuple[Reply, ...]) -> frozenset[str]:
    return doors(replies[0])


def _told(error: ClusterError) -> str:
    return f"{error.what}: {error.evidence}" if error.evidence else error.what
