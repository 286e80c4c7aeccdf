"""Consul by its maintenance mode: an instance out of what DNS and API tell clients, and back.

1. An instance is registered at an agent, usually that of its own host. When its host is one of
   ``on``, that agent alone is its node; else all of ``on`` are, and all must agree.
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
from gapless.drivers.balancers.sight import together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance, Verdict

_POLL = 0.25


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
        self._hosts = config.consul.on or ("",)
        self._nodes = {
            host: ConsulNode(
                name, host, config.consul, partial(transports, host), clock, address=address
            )
            for host in self._hosts
        }
        # The limit is for getting out; what comes then is no waiting that may fail.
        limits = {"drain_timeout": config.drain_timeout + self._settle}
        self._config = config.model_copy(update=limits)
        self._everywhere = self._fanout(self._hosts)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the agents, "" for this machine; fences are given in this order."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Agents keep a maintenance over a restart; nothing is counted."""
        return Capabilities(
            nodes=len(self._nodes), drain_evidence=Evidence.TIMED, lasts=self._settle
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as its agents' catalogs have it now."""
        fanout, _ = self._of(instance, ())
        return tuple(sight.member for sight in await fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of them Consul gives to clients; of several agents of one instance the least
        counts."""
        apart = [instance for instance in instances if instance.host in self._nodes]
        others = [instance for instance in instances if instance.host not in self._nodes]
        own = await together(self._nodes[one.host].serving([one]) for one in apart)
        least = await together(node.serving(others) for node in self._nodes.values())
        return sum(own) + min(least)

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """Each agent answers and knows its instances."""
        found = await together(
            node.examine([one for one in instances if host in self._at(one)])
            for host, node in self._nodes.items()
        )
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out of the catalog, and time for clients and requests."""
        fanout, guards = self._of(instance, fences)
        return replace(await fanout.drain(instance, guards), evidence=Evidence.TIMED)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In, until the catalog shows its checks passing."""
        fanout, guards = self._of(instance, fences)
        return await fanout.admit(instance, guards)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()

    def _at(self, instance: Instance) -> tuple[str, ...]:
        return (instance.host,) if instance.host in self._nodes else self._hosts

    def _of(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Fanout, Sequence[Fence]]:
        """Drain and admit at the agents of an instance, and their fences."""
        if instance.host not in self._nodes:
            return self._everywhere, fences
        place = self._hosts.index(instance.host)
        own = fences[place : place + 1] if len(fences) > 1 else fences
        return self._fanout([instance.host]), own

    def _fanout(self, hosts: Sequence[str]) -> Fanout:
        nodes = [self._nodes[host] for host in hosts]
        return Fanout(self._name, self._config, nodes, self._clock, poll=_POLL)
