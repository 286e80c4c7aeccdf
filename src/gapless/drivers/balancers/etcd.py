"""Load balancers that follow keys in etcd, as PyBal follows conftool.

1. The keys are wishes: ``pooled`` says what the load balancers are to do. Each host of ``on`` is a
   node: etcd is asked from there, and ``verify`` asks the load balancer that runs there.
2. A drain sets ``pooled`` to no (or inactive). The pool is counted first: when fewer than
   ``depool_threshold`` would stay pooled the load balancers would not obey, so it is refused. Count
   and change are one transaction: nobody else can have changed the pool in between.
3. Only ``pooled`` is changed, and only in the value that was read: weights and what others wrote
   meanwhile stay.
4. Out means: so it is in etcd, and each load balancer that can be asked says so. Requests under way
   get ``settle`` to end, unless the load balancer counts them.
5. The evidence: COUNTED when every load balancer gave a number, INFERRED when each said out by a
   word, TIMED when nobody was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Drained, Evidence, Member
from gapless.drivers.balancers.etcd_node import EtcdNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.of_nodes import OfNodes
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_POLL = 0.25
_MOST_WEIGHT = 65535
"""The largest that IPVS knows."""


class EtcdBalancer(OfNodes):
    """The load balancers of one pool. ``settle`` comes on top of ``drain_timeout``. Where none can
    be asked, who serves is who is wanted in traffic, an admit is the key read back, and its members
    say ``checked`` False."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.etcd is None:
            raise ValueError(f"balancer {name} is not etcd")
        hosts = config.etcd.on or ("",)
        self._clock = clock
        self._admit_timeout = config.admit_timeout
        self._settle = config.etcd.settle
        self._verified = config.etcd.verify is not None
        self._nodes = [
            EtcdNode(
                name,
                host,
                config.etcd,
                partial(transports, host),
                clock,
                address=address,
            )
            for host in hosts
        ]
        # The limit is for getting out; what comes then is no waiting that may fail.
        limits = {"drain_timeout": config.drain_timeout + config.etcd.settle}
        config = config.model_copy(update=limits)
        fanout = Fanout(name, config, self._nodes, clock, poll=_POLL)
        super().__init__(name, hosts, self._nodes, fanout)

    def capabilities(self) -> Capabilities:
        """Keys outlive everything; how sure a drain is depends on who can be asked."""
        return Capabilities(
            weights=_MOST_WEIGHT,
            survives_reload=True,
            nodes=len(self._nodes),
            drain_evidence=Evidence.INFERRED if self._verified else Evidence.TIMED,
            shown_by="what the load balancers say, and the time to settle",
            lasts=self._settle,
        )

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Depooled, until the load balancers say so and requests had time to end."""
        drained = await self._fanout.drain(instance, fences)
        return drained if self._verified else replace(drained, evidence=Evidence.TIMED)

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights in etcd, read back; no load balancer can be asked for one."""
        return await weigh(
            self._name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=_MOST_WEIGHT, within=self._admit_timeout,
        )  # fmt: skip
