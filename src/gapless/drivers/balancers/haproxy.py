"""HAProxy by its runtime API: drains that are counted, on one node or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import membership
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.haproxy_figures import counted
from gapless.drivers.balancers.haproxy_node import HaproxyNode
from gapless.drivers.balancers.haproxy_orders import MOST_WEIGHT
from gapless.drivers.balancers.of_nodes import OfNodes
from gapless.drivers.balancers.sight import together
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance


class HaproxyBalancer(OfNodes):
    """Servers of one backend on every node of ``config.haproxy.on``.

    ``transports`` gives the transport of a host, and for "" one to the machine gapless runs on
    (where HAProxy is when ``on`` is empty). ``address`` gives the address of a host, for {address}
    in the server name.

    Drains survive a reload of HAProxy only with a state file (``server-state-file`` and
    ``load-server-state-from-file`` in haproxy.cfg, ``show servers state`` written to it before the
    reload); a drain that got lost is noticed and ordered again while we wait. Sticky sessions
    (cookies) still reach a drained server: HAProxy means it so. Drain and admit leave weights and
    agents alone. Admitted is a server that reports UP by a check that passed since; one without
    checks as soon as it is up, and its member says ``checked`` False and "no check" in ``raw``.

    Dynamic servers do not survive a reload at all. With ``dynamic`` a server that is missing counts
    as out, and is added again when it is admitted; write it into haproxy.cfg as well, so that it is
    not missed in between.
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
        if config.haproxy is None:
            raise ValueError(f"balancer {name} is not HAProxy")
        hosts = config.haproxy.on or ("",)
        self._haproxy = config.haproxy
        self._clock = clock
        self._admit_timeout = config.admit_timeout
        self._nodes = [
            HaproxyNode(name, host, config.haproxy, partial(transports, host), address)
            for host in hosts
        ]
        super().__init__(name, hosts, self._nodes, Fanout(name, config, self._nodes, clock))

    def capabilities(self) -> Capabilities:
        """Counted drains, weights; dynamic servers where they are configured."""
        return Capabilities(
            weights=MOST_WEIGHT,
            dynamic_members=self._haproxy.dynamic is not None,
            survives_reload=self._haproxy.dynamic is None,
            nodes=len(self._nodes),
            drain_evidence=Evidence.COUNTED,
        )

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node, until each counts no session and no queued request for it.

        When HAProxy was replaced by another process meanwhile, the connections of the old one
        cannot be counted: they get all of ``drain_timeout`` and the evidence is TIMED.
        """
        drained = await super().drain(instance, fences)
        if drained.left and self._haproxy.shutdown_sessions:
            await together(node.cut(instance, fence) for node, fence in self._guarded(fences))
        return drained

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights, 0 to 256, on every node, until each reports them."""
        return await weigh(
            self._name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=MOST_WEIGHT, within=self._admit_timeout,
        )  # fmt: skip

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """A server of it on every node, in maintenance; one that is there stays as it is."""
        return await membership.add(self._nodes, self._fanout, instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No server of it on any node; refused while one sends it anything."""
        await membership.remove(
            self._name, self._nodes, self._fanout, self._clock, instance, fences,
            within=self._admit_timeout,
        )  # fmt: skip

    async def counters(self, instance: Instance) -> Counters:
        """Requests and errors (5xx, failed connections and responses) of each HAProxy process since
        it started."""
        found = await together(node.counted(instance) for node in self._nodes)
        return counted(dict(zip((node.label for node in self._nodes), found, strict=True)))

    def _guarded(self, fences: Sequence[Fence]) -> list[tuple[HaproxyNode, Fence | None]]:
        """Every node with the fence of its orders."""
        return list(zip(self._nodes, self._fanout.guards(fences), strict=True))
