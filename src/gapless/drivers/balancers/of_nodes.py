"""A balancer that is nothing but its nodes: each verb asks all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from gapless.drivers.balancers.base import Counters, Drained, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import Node, together
from gapless.model import Fence, Instance, Verdict


class SteeredNode(Node, Protocol):
    """A node that also tells who serves, and whether it could be steered."""

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances get traffic there."""
        ...

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """See ``Balancer.examine``."""
        ...


class OfNodes:
    """What such balancers share; each adds its capabilities, and counters where it has any."""

    def __init__(
        self, name: str, hosts: Sequence[str], nodes: Sequence[SteeredNode], fanout: Fanout
    ) -> None:
        self._name = name
        self._hosts = tuple(hosts)
        self._of = tuple(nodes)
        self._fanout = fanout

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of its nodes, "" for this machine; fences are given in this order."""
        return self._hosts

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every node sees it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int | None:
        """Least number of them that get traffic on any node."""
        return min(await together(node.serving(instances) for node in self._of))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """What each node says of itself and of the instances."""
        found = await together(node.examine(instances) for node in self._of)
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node, until each reports it idle."""
        return await self._fanout.drain(instance, fences)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node, until each reports it up."""
        return await self._fanout.admit(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()
