"""nginx by a marked part of a file it includes: drains that its old workers show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import membership
from gapless.drivers.balancers.base import Capabilities, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.nginx_node import NginxNode
from gapless.drivers.balancers.of_nodes import OfNodes
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_POLL = 0.25  # each look is a process on a host


class NginxBalancer(OfNodes):
    """Server lines of one marked upstream on every node of ``config.nginx.on``.

    A drain is INFERRED from the end of all workers that were there before it; connections to
    other servers that such a worker holds count as well, so it may last longer than it would have
    to. nginx has no checks of its own to wait for: an admit ends when every worker that takes
    connections has read the line. Each transition is one reload, and a reload closes the idle
    keep-alive connections of clients.
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
        if config.nginx is None:
            raise ValueError(f"balancer {name} is not nginx")
        hosts = config.nginx.on or ("",)
        self._dynamic = config.nginx.dynamic
        self._clock = clock
        self._within = config.admit_timeout
        self._nodes = [
            NginxNode(name, host, config.nginx, partial(transports, host), address)
            for host in hosts
        ]
        fanout = Fanout(name, config, self._nodes, clock, poll=_POLL)
        super().__init__(name, hosts, self._nodes, fanout)

    def capabilities(self) -> Capabilities:
        """No weights; what it costs is a reload each time."""
        return Capabilities(
            dynamic_members=self._dynamic,
            resets_keepalives=True,
            nodes=len(self.hosts),
            drain_evidence=Evidence.INFERRED,
            shown_by="the end of its old workers",
        )

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """A line of it on every node, with ``down``."""
        return await membership.add(self._nodes, self._fanout, instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No line of it on any node."""
        await membership.remove(
            self._name, self._nodes, self._fanout, self._clock, instance, fences,
            within=self._within,
        )  # fmt: skip
