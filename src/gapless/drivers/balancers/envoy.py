"""Envoy by the file of its endpoints (EDS): drains that it counts, and no reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import membership
from gapless.drivers.balancers.base import Capabilities, Counters, Evidence, Member
from gapless.drivers.balancers.envoy_node import EnvoyNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.of_nodes import OfCheckedNodes
from gapless.drivers.balancers.sight import together
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_MOST_WEIGHT = 65535  # Envoy allows more, but their sum has to stay below 2 to the 32nd


class EnvoyBalancer(OfCheckedNodes):
    """Endpoints of one cluster on every node of ``config.envoy.on``.

    Nothing is lost at all: Envoy reads the file without a reload, and connections of clients are
    not touched. What it was told is in the file and survives a restart of Envoy.
    """

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.envoy is None:
            raise ValueError(f"balancer {name} is not Envoy")
        hosts = config.envoy.on or ("",)
        self._dynamic = config.envoy.dynamic
        self._nodes = [
            EnvoyNode(name, host, config.envoy, partial(transports, host), clock, address=address)
            for host in hosts
        ]
        fanout = Fanout(name, config, self._nodes, clock)
        super().__init__(name, hosts, self._nodes, fanout, clock, within=config.admit_timeout)

    def capabilities(self) -> Capabilities:
        """Counted drains and weights; endpoints may come and go."""
        return Capabilities(
            weights=_MOST_WEIGHT,
            dynamic_members=self._dynamic,
            nodes=len(self._nodes),
            drain_evidence=Evidence.COUNTED,
        )

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights, from 1, on every node, until each reports them."""
        return await weigh(
            self.name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=_MOST_WEIGHT, within=self._within,
        )  # fmt: skip

    async def counters(self, instance: Instance) -> Counters:
        """Requests and errors (5xx, also of failed connections) of each process since it began."""
        found = await together(node.host(instance) for node in self._nodes)
        seen = zip(self._nodes, found, strict=True)
        known = [(node.label, life, host) for node, (life, host) in seen if host is not None]
        return Counters(
            requests=sum(host.figures.get("rq_total", 0) for _, _, host in known),
            errors=sum(host.figures.get("rq_error", 0) for _, _, host in known),
            detail={label: dict(host.figures) for label, _, host in known},
            lives={label: life for label, life, _ in known},
        )

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """An endpoint of it on every node, DRAINING."""
        return await membership.add(self._nodes, self._fanout, instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No endpoint of it on any node."""
        await membership.remove(
            self._name, self._nodes, self._fanout, self._clock, instance, fences,
            within=self._within,
        )  # fmt: skip
