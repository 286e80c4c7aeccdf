"""Consul by its maintenance mode: an instance out of what DNS and API tell clients, and back.

1. An instance is registered at the agent of its own host, and that is its only node. Or all are
   registered at the agents of ``on``: then all of these must agree.
2. A drain puts the service at that agent into maintenance: a check that is critical, with a reason.
   It is out when the *catalog* says so, which is what clients are told, and not the agent alone.
3. Nobody counts what is open, and clients keep what DNS told them: ``settle`` is all there is, and
   the evidence is TIMED.
4. An admit ends the maintenance and waits until the catalog shows the instance's own checks
   passing (or in warning). The maintenance of a whole node is left to who ordered it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.consul_node import ConsulNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import NoAnswer, together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance, Verdict
from gapless.places import machine_of

_POLL = 0.25
_REPEAT = 1.0
"""The catalog lags behind its agents: an order is not given again at every look."""


class ConsulBalancer:
    """The instances of one service in Consul. ``settle`` comes on top of ``drain_timeout``."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.consul is None:
            raise ValueError(f"balancer {name} is not Consul")
        self._name = name
        self._clock = clock
        self._settle = config.consul.settle
        self._hosts = config.consul.on
        # The limit is for getting out; what comes then is no waiting that may fail.
        limits = {"drain_timeout": config.drain_timeout + self._settle}
        self._config = config.model_copy(update=limits)
        self._consul = config.consul
        self._transports = transports
        self._address = address
        self._nodes: dict[str, ConsulNode] = {}

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the agents that have all instances; none when each has its own."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Agents keep a maintenance over a restart; nothing is counted."""
        return Capabilities(
            nodes=len(self._hosts) or 1, drain_evidence=Evidence.TIMED, lasts=self._settle
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as its agents' catalogs have it now."""
        return tuple(sight.member for sight in await self._fanout(instance).look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of them Consul gives to clients; the least of several agents' catalogs."""
        if self._hosts:
            nodes = map(self._node, self._hosts)
            return min(await together(node.serving(instances) for node in nodes))
        return sum(await together(self._alone(instance) for instance in instances))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """Each agent answers and knows its instances."""
        hosts = self._hosts or tuple(dict.fromkeys(machine_of(one.host) for one in instances))
        found = await together(
            self._node(host).examine([one for one in instances if host in self._at(one)])
            for host in hosts
        )
        return dict(zip(hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out of the catalog, and time for clients and requests."""
        drained = await self._fanout(instance).drain(instance, fences)
        return replace(drained, evidence=Evidence.TIMED)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In, until the catalog shows its checks passing."""
        return await self._fanout(instance).admit(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()

    async def _alone(self, instance: Instance) -> int:
        """Whether an instance with an agent of its own is up. When that is silent Consul takes it
        for dead, with all that is registered there, and so do we."""
        try:
            return await self._node(machine_of(instance.host)).serving([instance])
        except NoAnswer:
            return 0

    def _at(self, instance: Instance) -> tuple[str, ...]:
        return self._hosts or (machine_of(instance.host),)

    def _fanout(self, instance: Instance) -> Fanout:
        nodes = [self._node(host) for host in self._at(instance)]
        return Fanout(self._name, self._config, nodes, self._clock, poll=_POLL, repeat=_REPEAT)

    def _node(self, host: str) -> ConsulNode:
        """The agent of a host; it is asked again and again, so it is made once."""
        if host not in self._nodes:
            self._nodes[host] = ConsulNode(
                self._name,
                host,
                self._consul,
                partial(self._transports, host),
                self._clock,
                address=self._address,
            )
        return self._nodes[host]
