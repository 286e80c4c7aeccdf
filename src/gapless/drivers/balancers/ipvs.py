"""IPVS (LVS), by weights.

1. Each host of ``on`` is a node; ipvsadm runs there, with privilege.
2. A drain is weight 0: the scheduler sends nothing new, what is open stays. Drained is counted:
   ActiveConn is 0 (with ``closing``, or for UDP, InActConn as well).
3. A persistent service keeps sending known clients to a server of weight 0 unless the kernel's
   ``expire_quiescent_template`` is 1: ``doctor`` says so.
4. An admit sets the weight of gapless.yaml. IPVS asks nobody whether the server is well: that is
   what keepalived and our own checks are for.
5. An edit repeats every option that the server has: ipvsadm sets the others to their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Evidence, Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.ipvs_node import MOST_WEIGHT, IpvsNode
from gapless.drivers.balancers.of_nodes import OfNodes
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_POLL = 0.25  # each look is a process on a host


class IpvsBalancer(OfNodes):
    """Real servers of one virtual service on every node of ``config.ipvs.on``."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.ipvs is None:
            raise ValueError(f"balancer {name} is not IPVS")
        hosts = config.ipvs.on or ("",)
        self._nodes = [
            IpvsNode(name, host, config.ipvs, partial(transports, host), address) for host in hosts
        ]
        self._clock = clock
        self._admit_timeout = config.admit_timeout
        super().__init__(
            name, hosts, self._nodes, Fanout(name, config, self._nodes, clock, poll=_POLL)
        )

    def capabilities(self) -> Capabilities:
        """Counted drains, and weights, which are all there is."""
        nodes = len(self._nodes)
        return Capabilities(
            weights=MOST_WEIGHT, keeps_weights=False, nodes=nodes, drain_evidence=Evidence.COUNTED
        )

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights, 0 to 65535, on every node. 0 is out of traffic, and an admit sets the one
        of gapless.yaml again."""
        return await weigh(
            self.name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=MOST_WEIGHT, within=self._admit_timeout,
        )  # fmt: skip
