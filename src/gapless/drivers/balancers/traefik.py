"""Traefik by a file of its file provider: state reported by its API, drains that are only timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import membership
from gapless.drivers.balancers.base import Capabilities, Drained, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.of_nodes import OfCheckedNodes
from gapless.drivers.balancers.sight import together
from gapless.drivers.balancers.traefik_node import TraefikNode
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_MOST_WEIGHT = 65535


class TraefikBalancer(OfCheckedNodes):
    """Servers of one service on every node of ``config.traefik.on``.

    Connections of clients are not touched, and what Traefik was told is in the file and survives
    its restart. It counts nothing per server: ``settle`` is what requests get to end, on top of
    ``drain_timeout``, within which every node has to report the server out.
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
        if config.traefik is None:
            raise ValueError(f"balancer {name} is not Traefik")
        hosts = config.traefik.on or ("",)
        self._settle = config.traefik.settle
        self._dynamic = config.traefik.dynamic
        self._nodes = [
            TraefikNode(
                name, host, config.traefik, partial(transports, host), clock, address=address
            )
            for host in hosts
        ]
        limits = {"drain_timeout": config.drain_timeout + self._settle}
        fanout = Fanout(name, config.model_copy(update=limits), self._nodes, clock)
        super().__init__(name, hosts, self._nodes, fanout, clock, within=config.admit_timeout)

    def capabilities(self) -> Capabilities:
        """Weights; drains that only time shows."""
        return Capabilities(
            weights=_MOST_WEIGHT,
            dynamic_members=self._dynamic,
            nodes=len(self._nodes),
            drain_evidence=Evidence.TIMED,
            lasts=self._settle,
        )

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node as its API reports it, and then the time to settle."""
        drained = await super().drain(instance, fences)
        return replace(drained, evidence=Evidence.TIMED)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node, until each has it UP by a check made since: Traefik forgets the health
        of a server that it is told of."""
        trials = await together(node.trial(instance) for node in self._nodes)
        members = await super().admit(instance, fences)
        if not any(trials):
            return members
        await self._clock.sleep(max(trials))
        return await self._let_in(instance, fences)

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights, from 1, on every node, until each reports them."""
        return await weigh(
            self.name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=_MOST_WEIGHT, within=self._within,
        )  # fmt: skip

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """A server of it on every node, with a weight below 0."""
        return await membership.add(self._nodes, self._fanout, instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No server of it on any node."""
        await membership.remove(
            self._name, self._nodes, self._fanout, self._clock, instance, fences,
            within=self._within,
        )  # fmt: skip
