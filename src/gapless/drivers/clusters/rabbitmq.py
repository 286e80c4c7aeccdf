"""RabbitMQ: nodes that share out quorum queues, each a raft group of its own, and streams.

1. All nodes are asked at once over their management APIs, each from its own host, and only for what
   is worked out at that moment (``rabbitmq_view`` says what that is).
2. Groups are quorum queues and streams. A classic queue with one copy is no group: it goes away
   with its node, and so speaks against stopping that one.
3. Before a member stops it is put into maintenance by its own command line (``rabbitmq_move``):
   that hands over what it leads, and sends its connections away. A restart ends maintenance, and
   where none comes about ``restore`` ends it, also after the controller was killed.
4. Nothing is written down before a stop: an acknowledged message is on the disks of a majority.
5. A member is back when the node on its host has the name of before and is another process, all
   nodes see each other run, every quorum queue and stream of before has it online again by the word
   of every node, and its own command line says that all of it has started.

Source: https://www.rabbitmq.com/docs/upgrade#maintenance-mode and the management API of 3.10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.rabbitmq_api import RabbitApi
from gapless.drivers.clusters.rabbitmq_findings import alone, findings
from gapless.drivers.clusters.rabbitmq_life import Lives, same
from gapless.drivers.clusters.rabbitmq_move import RabbitMove, led_by
from gapless.drivers.clusters.rabbitmq_orders import RabbitOrders
from gapless.drivers.clusters.rabbitmq_return import left_to_rejoin, missing
from gapless.drivers.clusters.rabbitmq_round import Round
from gapless.drivers.clusters.silence import nobody_tells
from gapless.drivers.fill import fill, filled, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance


class RabbitCluster:
    """See ``Cluster``. ``hosts``: where its nodes run, one on each. A member's id is the name of
    its node."""

    kind = "rabbitmq"

    def __init__(
        self,
        name: str,
        config: RabbitClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name, self._timeout, self._clock = name, config.timeout, clock
        self._places, self._lives = Places(hosts), Lives()
        self._drained: dict[str, str] = {}
        """By member the process that was told to go into maintenance."""
        self._started: dict[str, str] = {}
        """By member the process that has said that all of it runs."""
        self._apis: dict[str, RabbitApi] = {}
        self._orders: dict[str, RabbitOrders] = {}
        for host in hosts:
            instance, way = Instance(name, host), partial(transports, host)
            url = fill(config.url, instance, address)
            self._apis[host] = RabbitApi(name, host, url, config, way)
            before = filled(config.command, instance, address)
            self._orders[host] = RabbitOrders(name, host, before, way)

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All nodes and groups, and what is wrong. Raises ClusterError where none answers."""
        seen = await self._look()
        _check(self._name, seen)
        for member in seen.nodes:
            if not seen.began[member]:  # else nobody could tell later that it is another process
                seen = await self._told(seen, member)
        return Topology(
            members=by_id(seen.members()),
            groups={group: seen.group(group) for group in seen.views},
            findings=findings(seen),
            asked=tuple(seen.nodes),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """What these alone have, and queues that cannot spare them."""
        seen = await self._look()
        found = tuple(alone(seen, members, {}))
        if not any(one.absolute for one in found):
            return found
        # Of what is not durable it counts whether there is anything in it.
        host = next(host for host, node in seen.everyone if node.name in members)
        return tuple(alone(seen, members, await self._apis[host].messages()))

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Into maintenance. RabbitMQ itself chooses who takes over. Raises ClusterError where
        nobody answers, or it cannot be drained, and FenceRefused."""
        seen = await self._look()
        _check(self._name, seen)
        led = led_by(seen, member)
        if member not in seen.nodes and not (led and seen.runs(member) and member in seen.places):
            # In maintenance already, and leads nothing; or it is down, and can be told nothing.
            return tuple(Moved(one, why=f"{member} leads, and does not answer") for one in led)
        if seen.names != (member,) and set(seen.nodes) <= {member}:
            # What became of an order could not be seen.
            why = f"none but {member} answers: nobody could tell who takes over"
            return tuple(Moved(one, why=why) for one in led)
        self._drained[member] = seen.began.get(member, "")
        return await self._move(member, seen.places[member]).drain(seen, within, fence)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: what is acknowledged is on disk."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and in how many queues it is not online yet."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        if member in seen.nodes and not seen.began[member]:
            seen = await self._told(seen, member)
        why = missing(seen, was, before)
        if not why:
            why = await self._begun(member, seen)
        return Rejoined(not why, why, left_to_rejoin(seen, member, before))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Out of maintenance, where it was not ended by a restart. Raises ClusterError where it
        stays in it, FenceRefused."""
        seen = await self._look()
        now, was = seen.began.get(member, ""), self._drained.get(member, "")
        if now and was and not same(was, now) and not seen.drained(member):
            return
        if member not in seen.nodes and seen.nodes and not seen.runs(member):
            return  # it is down, and whatever it was told ended with it
        host = seen.places.get(member) or self._places.host(member)
        if host is None:
            raise ClusterError(
                f"nobody knows where {member} runs, which may be in maintenance",
                where=self._name,
                next=f"rabbitmq-upgrade revive --node {member} on its host",
            )
        await self._move(member, host).revive(fence)
        self._drained.pop(member, None)

    async def _told(self, seen: Round, member: str) -> Round:
        """With the process of one that tells nothing of it yet, where its command line does."""
        try:
            told = await self._orders[seen.places[member]].state(member)
        except ClusterError:
            return seen
        began = self._lives.learn(seen.nodes[member], told)
        return replace(seen, began={**seen.began, member: began})

    async def _begun(self, member: str, seen: Round) -> str:
        """Why not all of it runs yet; asked until it says so, once for each process."""
        if self._started.get(member) == seen.began[member]:
            return ""
        try:
            await self._orders[seen.places[member]].started(member, self._timeout)
        except ClusterError as error:
            return f"{member}: {error.what}"
        self._started[member] = seen.began[member]
        return ""

    def _move(self, member: str, host: str) -> RabbitMove:
        return RabbitMove(self._clock, self._name, member, self._look, self._orders[host])

    async def _look(self) -> Round:
        """Everybody."""
        sights = tuple(await together(api.look() for api in self._apis.values()))
        bare = Round(sights)
        found = {host: node.name for host, node in bare.everyone}
        places = self._places.hosts(found, bare.names)
        self._lives.forget(bare.nodes)
        began = {name: self._lives.began(node) for name, node in bare.nodes.items()}
        return Round(sights, places, began)


def _check(cluster: str, seen: Round) -> None:
    if seen.nodes:
        return
    raise nobody_tells(cluster, seen.sights, "of a cluster of RabbitMQ")
