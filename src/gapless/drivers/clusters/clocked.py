"""A cluster whose hosts' clocks are looked at whenever one of its members is to be stopped.

1. All hosts are asked at once what time it is, once for each view of the cluster; of a large one
   once a minute, or a rollout would ask each host for each other. A slow answer says little: it is
   asked for again, and the quickest counts.
2. Of a host that does not answer, its cluster says enough.
3. All else is as the driver has it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from gapless.clock import Clock
from gapless.clusters.clocks import Reading, skewed
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved, PrefersLeaders, Rejoined
from gapless.drivers.transports.base import Transport
from gapless.errors import GaplessError
from gapless.model import Fence
from gapless.places import machine_of

_TRIES = 3
_FEW, _LASTS = 8, 60.0
"""Hosts that are asked for each view; seconds for which the clocks of more are known."""


class ClockedCluster:
    """See ``Cluster``. ``limit``: seconds that two clocks may be apart."""

    def __init__(
        self,
        cluster: Cluster,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        limit: float,
    ) -> None:
        self._cluster, self._clock, self.limit = cluster, clock, limit
        self._hosts = tuple(dict.fromkeys(map(machine_of, hosts)))
        self._transports = transports
        self._told: tuple[Topology | None, tuple[Finding, ...]] = (None, ())
        self._asked = -math.inf

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._cluster.name

    @property
    def kind(self) -> str:
        """The driver."""
        return self._cluster.kind

    async def topology(self) -> Topology:
        """As the driver has it."""
        return await self._cluster.topology()

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """What the driver says, and the clocks."""
        now = self._clock.monotonic()
        lasts = _LASTS if len(self._hosts) > _FEW else 0.0
        if self._told[0] is not topology and now >= self._asked + lasts:
            self._told, self._asked = (topology, await self._skewed()), now
        return (*await self._cluster.unsafe(topology, members), *self._told[1])

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """As the driver has it."""
        return await self._cluster.evacuate(member, targets, within, fence)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """As the driver has it."""
        return await self._cluster.seal(member, fence)

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """As the driver has it."""
        return await self._cluster.rejoined(member, before)

    async def restore(self, member: str, fence: Fence | None) -> None:
        """As the driver has it."""
        await self._cluster.restore(member, fence)

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """As the driver has it; nothing where it has no such notion."""
        if isinstance(self._cluster, PrefersLeaders):
            return await self._cluster.prefer(member)
        return ()

    async def _skewed(self) -> tuple[Finding, ...]:
        if len(self._hosts) < 2:
            return ()
        told = await asyncio.gather(*map(self._read, self._hosts))
        return tuple(skewed([one for one in told if one is not None], self.limit))

    async def _read(self, host: str) -> Reading | None:
        """The narrowest of a few, as soon as one is narrow enough to tell."""
        best: Reading | None = None
        for _ in range(_TRIES):
            asked = self._clock.monotonic()
            try:
                time = (await self._transports(host).facts()).clock
            except GaplessError:
                return best
            found = Reading(host, time - self._clock.monotonic(), time - asked)
            best = found if best is None or found.unsure < best.unsure else best
            if best.unsure <= self.limit / 4:
                break
        return best
