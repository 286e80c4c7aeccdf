"""NATS with JetStream: servers that share out many raft groups, one for each stream and consumer.

1. All servers are asked at once over their monitoring ports, each from its own host. Where one
   seems to be behind, all are asked once more: it may only have been asked before its leader.
2. Groups are the meta group, each stream and each durable consumer with more than one replica. What
   has only one is no group: it goes away with its server, and so speaks against stopping that one.
3. Before a member stops it is told on its client port to hand over what it leads (``nats_move``),
   for which a user of each account is needed where somebody has to log in. Without a user of the
   system account the meta group is left where it is: no message goes through its leader, and it
   hands over when it is told to stop.
4. Nothing is written down before a stop, and nothing has to be taken back: lame duck mode, which
   cannot be taken back, is not used.
5. A member is back when the server on its host has the name of before and another id, finds itself
   well, and is in sync in all groups of before, by its own word and by that of the leaders.

Source: https://docs.nats.io/running-a-nats-service/nats_admin/monitoring and nats-server 2.9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.nats_doors import Doors
from gapless.drivers.clusters.nats_findings import alone, findings
from gapless.drivers.clusters.nats_monitor import NatsMonitor
from gapless.drivers.clusters.nats_move import NatsMove
from gapless.drivers.clusters.nats_protocol import Order
from gapless.drivers.clusters.nats_return import left_to_catch_up, missing
from gapless.drivers.clusters.nats_round import Round
from gapless.drivers.clusters.nats_sight import Sight
from gapless.drivers.clusters.nats_view import META
from gapless.drivers.clusters.places import Places
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance


class NatsCluster:
    """See ``Cluster``. ``hosts``: where its servers run, one on each."""

    kind = "nats"

    def __init__(
        self,
        name: str,
        config: NatsClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        def filled(text: str, host: str) -> str:
            return fill(text, Instance(name, host), address)

        self._name, self._lag, self._clock = name, config.lag, clock
        self._places = Places(hosts)
        self._monitors = [
            NatsMonitor(name, host, filled(config.monitor, host), config, partial(transports, host))
            for host in hosts
        ]
        addresses = {host: filled(config.address, host) for host in hosts}
        self._doors = Doors(name, config, addresses, transports)

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All servers and groups, and what is wrong. Raises ClusterError where none answers, or
        none of those that do has JetStream."""
        seen = await self._look()
        _check(self._name, seen)
        leader = seen.leaders[META]
        return Topology(
            members=by_id(seen.members()),
            groups={group: seen.group(group) for group in seen.views},
            findings=findings(seen),
            asked=tuple(seen.servers),
            singletons={"meta leader": leader} if leader else {},
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """What these alone have, and what they lead that they cannot be told to hand over."""
        seen = await self._look()
        doors = await together(self._doors.closed(seen, one) for one in members)
        return (*alone(seen, members), *(finding for found in doors for finding in found))

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """All that it leads and can be told of. Raises ClusterError where nobody answers,
        FenceRefused."""
        until = self._clock.monotonic() + within
        seen = await self._look()
        _check(self._name, seen)
        led = [group for group, leader in seen.leaders.items() if leader == member]
        able = [group for group in led if seen.group(group).movable]
        stuck = [Moved(one, why=self._doors.no_login(one)) for one in led if one not in able]
        stuck += [Moved(one, why=seen.contested(one)) for one in seen.claimed(member)]
        if not able:
            return tuple(stuck)
        if member not in seen.servers:
            why = f"{member} leads, and does not answer"
            return (*(Moved(one, why=why) for one in able), *stuck)
        order = partial(self._tell, seen.places[member])
        move = NatsMove(self._clock, member, self._look, order)
        left = max(0.0, until - self._clock.monotonic())
        return (*await move.run(able, targets, left, fence), *stuck)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: a server writes what it takes before it acknowledges it to its leader."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how many messages it still has to get."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before)
        return Rejoined(not why, why, left_to_catch_up(seen, member, before))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered that lasts."""

    async def _tell(self, host: str, group: str, order: Order, fence: Fence | None) -> str:
        return await self._doors.order(host, group, order, fence)

    async def _look(self) -> Round:
        """Everybody, and once more where somebody seems to be behind."""
        first = await self._ask({})
        behind = any(
            first.objection(group, member)
            for group, members in first.members_of.items()
            for member in members
            if member in first.servers
        )
        return await self._ask(first.marks, first) if behind else first

    async def _ask(self, mark: dict[str, int], before: Round | None = None) -> Round:
        """With ``before`` only those that answered then."""
        old = {one.host: one for one in before.sights if one.server is None} if before else {}

        async def look(monitor: NatsMonitor) -> Sight:
            return old.get(monitor.host) or await monitor.look()

        sights = tuple(await together(look(monitor) for monitor in self._monitors))
        found = {one.host: one.server.name for one in sights if one.server is not None}
        names = Round(sights, self._lag).names
        places = self._places.hosts(found, names)
        return Round(sights, self._lag, places, self._doors.open, mark)


def _check(cluster: str, seen: Round) -> None:
    if META in seen.views:
        return
    told = list(_told(seen))
    raise ClusterError(
        f"none of {len(seen.sights)} hosts tells of a cluster of JetStream",
        where=cluster,
        evidence="\n".join(told),
        next=next((sight.next for sight in seen.sights if sight.next), ""),
    )


def _told(seen: Round) -> Iterator[str]:
    for sight in seen.sights:
        why = sight.why or (seen.trouble(sight.server.name) if sight.server else "")
        yield f"{sight.host}: {why}\n{sight.evidence}".strip()
