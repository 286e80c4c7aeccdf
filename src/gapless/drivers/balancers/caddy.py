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

from collections.abc import Callable, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import membership
from gapless.drivers.balancers.base import Capabilities, Evidence, Member
from gapless.drivers.balancers.caddy_node import CaddyNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.of_nodes import OfNodes
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_POLL = 0.2


class CaddyBalancer(OfNodes):
    """Upstreams of one handler on every node of ``config.caddy.on``. Caddy counts no requests by
    upstream; without an active check an upstream is accepted as soon as it is in, and its member
    says ``checked`` False and "no check" in ``raw``."""

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
        hosts = config.caddy.on or ("",)
        self._dynamic = config.caddy.dynamic
        self._clock = clock
        self._within = config.admit_timeout
        self._nodes = [
            CaddyNode(name, host, config.caddy, partial(transports, host), clock, address=address)
            for host in hosts
        ]
        fanout = Fanout(name, config, self._nodes, clock, poll=_POLL)
        super().__init__(name, hosts, self._nodes, fanout)

    def capabilities(self) -> Capabilities:
        """Counted drains; each change is a reload, and a restart forgets it."""
        return Capabilities(
            dynamic_members=self._dynamic,
            survives_reload=False,
            resets_keepalives=True,
            loses_new=True,  # 6 in 30 reloads, at 100 new connections a second (2.11)
            nodes=len(self.hosts),
            drain_evidence=Evidence.COUNTED,
        )

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """An upstream of it on every node, parked from the beginning."""
        return await membership.add(self._nodes, self._fanout, instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No upstream of it on any node, nor among what is parked."""
        await membership.remove(
            self._name, self._nodes, self._fanout, self._clock, instance, fences,
            within=self._within,
        )  # fmt: skip
