"""Target groups of AWS load balancers.

1. Each target group is a node. All of them must agree; the API is asked from the machine gapless
   runs on, and its credentials are boto3's business.
2. A drain deregisters the target. It is out at once, and reported ``draining`` for all of the
   group's deregistration delay (300 s unless somebody changed it), whether requests are left or
   not: nobody counts them. So the evidence is TIMED. Waited for is the end of the delay
   (``unused``) or ``drain_timeout``, whichever comes first.
3. Where a drain may not cut anything (``on_drain_timeout: fail``) a delay that is longer than
   ``drain_timeout`` is refused before anything is changed.
4. An admit registers it again: ``initial`` until the group's own health checks passed, then
   ``healthy``. Only that counts as up. In a group without health checks (``unavailable``) it is
   believed, and the member says ``checked`` False.
5. The API compares no fence. Two controllers are kept apart by the claims on the instances' hosts
   and on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gapless.clock import Clock
from gapless.config.balancer_elbv2 import Elbv2Config
from gapless.config.balancers import BalancerConfig
from gapless.config.quantities import format_duration
from gapless.drivers.balancers import aws_api
from gapless.drivers.balancers.base import Capabilities, Counters, Drained, Evidence, Member
from gapless.drivers.balancers.elbv2_group import TargetGroup
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

POLL = 2.0
"""Seconds between two looks: the API limits how often it may be asked."""


class Elbv2Balancer:
    """Targets of every group of ``config.elbv2.target_group``."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
        connect: Callable[[Elbv2Config], Any] = aws_api.connect,
        poll: float = POLL,
    ) -> None:
        if config.elbv2 is None:
            raise ValueError(f"balancer {name} is no AWS load balancer")
        self._name = name
        self._config = config
        api = aws_api.AwsApi(name, config.elbv2, connect)
        self._groups = [
            TargetGroup(name, group, config.elbv2, api, address)
            for group in config.elbv2.target_group
        ]
        self._fanout = Fanout(name, config, self._groups, clock, poll=poll)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """This machine, once for each target group."""
        return ("",) * len(self._groups)

    def capabilities(self) -> Capabilities:
        """Nobody counts, and only the delay tells when a drain is over."""
        return Capabilities(nodes=len(self._groups), drain_evidence=Evidence.TIMED)

    async def drain_delay(self) -> float:
        """The longest deregistration delay of its groups, in seconds."""
        return max(await together(group.delay() for group in self._groups))

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every target group reports it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int:
        """Least number of them that any target group reports healthy."""
        return min(await together(group.serving(instances) for group in self._groups))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """The API answers, and what it says of each instance."""
        found = await together(group.examine(instances) for group in self._groups)
        return {"": tuple(verdict for verdicts in found for verdict in verdicts)}

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out of every group, until its delay or ``drain_timeout`` is over."""
        await self._refuse_a_longer_delay(instance)
        drained = await self._fanout.drain(instance, fences)
        # what is left nobody knows, so no number is told
        return replace(drained, evidence=Evidence.TIMED, left=0)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Into every group, until each reports it healthy."""
        return await self._fanout.admit(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted per target."""
        return Counters()

    async def _refuse_a_longer_delay(self, instance: Instance) -> None:
        if self._config.on_drain_timeout == "proceed":
            return
        delay, limit = await self.drain_delay(), self._config.drain_timeout
        if delay >= limit:
            raise TrafficError(
                f"{instance} would be draining for {format_duration(delay)}, the deregistration"
                f" delay; drain_timeout is {format_duration(limit)}",
                where=self._name,
                evidence="on_drain_timeout: fail",
                next="raise drain_timeout above the delay, or lower the delay of the target group",
            )
