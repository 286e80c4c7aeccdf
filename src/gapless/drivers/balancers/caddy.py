"""Caddy by its admin API: upstreams of a reverse_proxy handler out of traffic, and back.

1. Each node is a Caddy of its own; all must agree. Its handler is read with its mark (ETag).
2. A drain moves the instance's upstreams from the list to a place in the handler that nothing
   reaches (``caddy_parking``), on the condition (If-Match) that nobody changed the handler
   meanwhile. That is one reload; Caddy closes idle keep-alive connections of clients in it.
3. It is over when Caddy counts no open request for the address. Parked, it is counted on.
4. An admit asks Caddy's own active check from Caddy's host first: Caddy takes what is new for
   healthy until a check fails. Then the upstreams go back as they were and where they were.
5. Caddy forgets all this in a restart unless it was started with ``--resume``. A drain that got
   lost is noticed and ordered again while we wait; what the old process had open nobody counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.caddy_node import CaddyNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance, Verdict

_POLL = 0.2


class CaddyBalancer:
    """Upstreams of one handler on every node of ``config.caddy.on``."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.caddy is None:
            raise ValueError(f"balancer {name} is not Caddy")
        self._name = name
        self._hosts = config.caddy.on or ("",)
        self._nodes = [
            CaddyNode(name, host, config.caddy, partial(transports, host), clock, address=address)
            for host in self._hosts
        ]
        self._fanout = Fanout(name, config, self._nodes, clock, poll=_POLL)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of its nodes, "" for this machine; fences are given in this order."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Counted drains; each change is a reload, and a restart forgets it."""
        return Capabilities(
            survives_reload=False,
            resets_keepalives=True,
            nodes=len(self._nodes),
            drain_evidence=Evidence.COUNTED,
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every node has it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """Least number of their upstreams any node has and finds healthy."""
        return min(await together(node.serving(instances) for node in self._nodes))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """The API answers, handler and upstreams are there."""
        found = await together(node.examine(instances) for node in self._nodes)
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node, until each counts no request for it."""
        return await self._fanout.drain(instance, fences)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node after Caddy's own check passed, until each has it and finds it healthy.

        Without an active check it is accepted as soon as it is in; its member says ``checked``
        False and "no check" in ``raw``."""
        return await self._fanout.admit(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Caddy counts no requests by upstream."""
        return Counters()
