"""A balancer that is nothing but its nodes: each verb asks all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from gapless.clock import Clock
from gapless.drivers.balancers.base import Counters, Drained, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import NoAnswer, Node, together
from gapless.model import Fence, Instance, Verdict

_POLL = 0.1


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


class CheckedNode(SteeredNode, Protocol):
    """A node that goes on checking what it was told to send nothing to."""

    async def window(self, instance: Instance) -> float:
        """Seconds in which a check would find out that this instance is sick; 0 where it is found
        out already, gets traffic already, or nothing checks it."""
        ...


class OfCheckedNodes(OfNodes):
    """What balancers of such nodes share.

    The last check that the old copy passed stands until a newer one has failed, so an instance that
    still looks healthy gets the time for it before it is let in. That time comes on top of
    ``admit_timeout`` (``within``, in seconds); nothing reaches a sick one in it."""

    def __init__(
        self,
        name: str,
        hosts: Sequence[str],
        nodes: Sequence[CheckedNode],
        fanout: Fanout,
        clock: Clock,
        *,
        within: float,
    ) -> None:
        super().__init__(name, hosts, nodes, fanout)
        self._checked = tuple(nodes)
        self._clock = clock
        self._within = within

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node, once its checks would have found out a sick one, until each reports it
        up."""
        windows = await together(node.window(instance) for node in self._checked)
        await self._clock.sleep(max(windows))
        return await self._let_in(instance, fences)

    async def readmit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """See ``Readmits``: a sick one has been found out while it was out."""
        return await self._let_in(instance, fences)

    async def _let_in(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """All nodes have answered before, so one that is silent now may come back."""
        until = self._clock.monotonic() + self._within
        while True:
            try:
                return await self._fanout.admit(instance, fences)
            except NoAnswer:
                if self._clock.monotonic() >= until:
                    raise
            await self._clock.sleep(_POLL)
