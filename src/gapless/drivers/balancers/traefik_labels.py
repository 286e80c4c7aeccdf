"""Traefik by the labels of containers (its docker provider): drained by their health.

1. Traefik sends to containers that are healthy. A container that we made has a health check with a
   cord in it (``drivers/cord``): a drain cuts the cord, an admit makes it whole, and each waits
   until Traefik's API shows what came of it. The program and its image have no part in this.
2. Each host has its own Traefik, under the fence of the instance.
3. A container that compose or a person made has no cord. It is replaced all the same: it goes on
   to get traffic until it ends, which the plan says. The one after it has a cord.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import together
from gapless.drivers.balancers.traefik_labels_node import TraefikLabelsNode
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict
from gapless.places import machine_of

_POLL, _REPEAT = 0.1, 1.0


class TraefikLabelsBalancer:
    """The containers of one service of Traefik. ``settle`` comes on top of ``drain_timeout``."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.traefik_labels is None:
            raise ValueError(f"balancer {name} is not Traefik with labels")
        self._name = name
        self._labels = config.traefik_labels
        settle = self._labels.settle
        limits = {"drain_timeout": config.drain_timeout + settle}
        limits |= {} if self._labels.api else {"admit_timeout": config.admit_timeout + settle}
        self._config = config.model_copy(update=limits)
        self._transports = transports
        self._clock = clock
        self._address = address
        self._nodes: dict[str, TraefikLabelsNode] = {}

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """None: each instance is steered on its own host."""
        return ()

    def capabilities(self) -> Capabilities:
        """What shows that a drain is over depends on whether there is an API."""
        settle = self._labels.settle
        members = Capabilities(dynamic_members=True)
        if self._labels.api is None:
            return replace(members, drain_evidence=Evidence.TIMED, lasts=settle)
        shown = "Traefik's API, which lists it no more; then what is open gets"
        shown += f" {format_duration(settle)} to end"
        return replace(members, drain_evidence=Evidence.INFERRED, shown_by=shown)

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as its host's engine and Traefik have it now."""
        return tuple(sight.member for sight in await self._fanout(instance).look(instance))

    async def serving(self, instances: Collection[Instance]) -> int | None:
        """How many of them get traffic."""
        return sum(await together(self._node(one).serving([one]) for one in instances))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """Each engine and each Traefik answers."""
        hosts = tuple(dict.fromkeys(machine_of(one.host) for one in instances))
        at = {host: [one for one in instances if machine_of(one.host) == host] for host in hosts}
        found = await together(self._node(some[0]).examine(some) for some in at.values())
        return dict(zip(hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Its cord cut, until the API lists it no more and what was in flight had its time. What
        has no cord stays where it is."""
        if not await self._node(instance).corded(instance):
            return Drained(Evidence.TIMED, 0.0, members=await self.members(instance))
        drained = await self._fanout(instance).drain(instance, fences)
        return drained if self._labels.api else replace(drained, evidence=Evidence.TIMED)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Its cord whole, until the API lists it."""
        return await self._fanout(instance).admit(instance, fences)

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Nothing is to be done: its member comes with its container, out of traffic."""
        return await self.members(instance)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """Until the API has forgotten a container that has ended."""
        within = self._config.admit_timeout
        deadline = self._clock.monotonic() + within
        while not await self._node(instance).forgotten(instance):
            if self._clock.monotonic() >= deadline:
                raise TrafficError(
                    f"{instance} is still listed {format_duration(within)} after it has ended",
                    where=self._name,
                    evidence="\n".join(one.raw for one in await self.members(instance)),
                )
            await self._clock.sleep(_POLL)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()

    def _fanout(self, instance: Instance) -> Fanout:
        nodes = [self._node(instance)]
        return Fanout(self._name, self._config, nodes, self._clock, poll=_POLL, repeat=_REPEAT)

    def _node(self, instance: Instance) -> TraefikLabelsNode:
        """That of its host; it is asked again and again, so it is made once."""
        host = machine_of(instance.host)
        if host not in self._nodes:
            self._nodes[host] = TraefikLabelsNode(
                self._name,
                host,
                self._labels,
                partial(self._transports, host),
                self._clock,
                address=self._address,
            )
        return self._nodes[host]
