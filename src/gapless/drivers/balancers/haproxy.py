"""HAProxy by its runtime API: drains that are counted, on one node or several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.haproxy_node import HaproxyNode
from gapless.drivers.balancers.haproxy_view import Server
from gapless.drivers.balancers.sight import together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance, Verdict


class HaproxyBalancer:
    """Servers of one backend on every node of ``config.haproxy.on``.

    ``transports`` gives the transport of a host, and for "" one to the machine gapless runs on
    (where HAProxy is when ``on`` is empty). ``address`` gives the address of a host, for {address}
    in the server name.

    Drains survive a reload of HAProxy only with a state file (``server-state-file`` and
    ``load-server-state-from-file`` in haproxy.cfg, ``show servers state`` written to it before the
    reload); a drain that got lost is noticed and ordered again while we wait. Sticky sessions
    (cookies) still reach a drained server: HAProxy means it so. Weights and agents are left alone.
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
        self._name = name
        self._haproxy = config.haproxy
        self._hosts = config.haproxy.on or ("",)
        self._nodes = [
            HaproxyNode(name, host, config.haproxy, partial(transports, host), address)
            for host in self._hosts
        ]
        self._fanout = Fanout(name, config, self._nodes, clock)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of its nodes, "" for this machine; fences are given in this order."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Counted drains, weights; static servers only."""
        return Capabilities(
            weights=True,
            survives_reload=True,
            nodes=len(self._nodes),
            drain_evidence=Evidence.COUNTED,
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every node sees it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """Least number of their servers that are up, and not only optimistically, on any node."""
        return min(await together(node.serving(instances) for node in self._nodes))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """The socket answers, backend and servers are there."""
        found = await together(node.examine(instances) for node in self._nodes)
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node, until each counts no session and no queued request for it.

        When HAProxy was replaced by another process meanwhile, the connections of the old one
        cannot be counted: they get all of ``drain_timeout`` and the evidence is TIMED.
        """
        drained = await self._fanout.drain(instance, fences)
        if drained.left and self._haproxy.shutdown_sessions:
            guards = self._fanout.guards(fences)
            pairs = zip(self._nodes, guards, strict=True)
            await together(node.cut(instance, fence) for node, fence in pairs)
        return drained

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node, until each reports UP by a check that passed after this call.

        A server without checks is accepted as soon as it is up; its member says ``checked`` False
        and "no check" in ``raw``.
        """
        return await self._fanout.admit(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Requests and errors (5xx, failed connections and responses) since HAProxy started."""
        servers = await together(node.server(instance) for node in self._nodes)
        found = {
            node.label: _figures(server)
            for node, server in zip(self._nodes, servers, strict=True)
            if server is not None
        }
        return Counters(
            requests=sum(figures["stot"] for figures in found.values()),
            errors=sum(f["econ"] + f["eresp"] + f["hrsp_5xx"] for f in found.values()),
            detail=found,
        )


def _figures(server: Server) -> dict[str, int]:
    names = ("stot", "econ", "eresp", "wretr", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx")
    return {name: int(server.figures.get(name) or 0) for name in names}
