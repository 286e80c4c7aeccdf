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

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.etcd_node import EtcdNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import together
from gapless.drivers.balancers.weighing import weigh
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance, Verdict

_POLL = 0.25
_MOST_WEIGHT = 65535
"""The largest that IPVS knows."""


class EtcdBalancer:
    """The load balancers of one pool. ``settle`` comes on top of ``drain_timeout``."""

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
        self._name = name
        self._hosts = config.etcd.on or ("",)
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
            for host in self._hosts
        ]
        # The limit is for getting out; what comes then is no waiting that may fail.
        limits = {"drain_timeout": config.drain_timeout + config.etcd.settle}
        config = config.model_copy(update=limits)
        self._fanout = Fanout(name, config, self._nodes, clock, poll=_POLL)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts etcd is asked from, "" for this machine; fences are given in this order."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Keys outlive everything; how sure a drain is depends on who can be asked."""
        return Capabilities(
            weights=True,
            survives_reload=True,
            nodes=len(self._nodes),
            drain_evidence=Evidence.INFERRED if self._verified else Evidence.TIMED,
            shown_by="what the load balancers say, and the time to settle",
            lasts=self._settle,
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as etcd and the load balancers have it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """Least number of them any load balancer reports up; where none can be asked, how many are
        wanted in traffic: it cannot be more."""
        return min(await together(node.serving(instances) for node in self._nodes))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """etcd answers, each instance has its key, each load balancer knows it."""
        found = await together(node.examine(instances) for node in self._nodes)
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Depooled, until the load balancers say so and requests had time to end."""
        drained = await self._fanout.drain(instance, fences)
        return drained if self._verified else replace(drained, evidence=Evidence.TIMED)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Pooled, until each load balancer reports it up; where none can be asked the key is all
        that is read back, and the members say ``checked`` False."""
        return await self._fanout.admit(instance, fences)

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights in etcd, read back; no load balancer can be asked for one."""
        return await weigh(
            self._name, self._nodes, self._fanout, self._clock, wanted, fences,
            most=_MOST_WEIGHT, within=self._admit_timeout,
        )  # fmt: skip

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()
