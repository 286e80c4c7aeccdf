"""5xx answers of each instance as its balancers count them.

1. Balancers have no history: every look keeps a sample of the counters, and the first ones are
   taken before the first change.
2. A window is what lies between the sample nearest before it and the last one in it.
3. A counter that went back, another process that counts, or other nodes than before: how much was
   counted by then nobody knows, so what lies between two such samples is neither counted nor
   covered.
4. A balancer that counts nothing says nothing: without one that does there is no data.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gapless.config.verify_rates import BalancerErrorsConfig
from gapless.drivers.balancers.base import Balancer, Counters
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach
from gapless.errors import GaplessError, SourceUnavailable

_BEFORE = 60.0
"""Seconds before a window from which a sample is still good for its beginning: an instance that is
being replaced is out of traffic."""
_NEAR = 1.0
"""Seconds by which a sample may be younger than the moment it is taken for."""
_KEPT = 2000


def make_sources(config: BalancerErrorsConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One."""
    return (BalancerRate(config, reach),)


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    parts: tuple[Counters, ...]
    """Of each balancer that counts, for each copy."""

    @property
    def requests(self) -> int:
        return sum(part.requests for part in self.parts)

    @property
    def errors(self) -> int:
        return sum(part.errors for part in self.parts)


class BalancerRate:
    """The counters of a service's balancers, added up."""

    def __init__(self, config: BalancerErrorsConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._samples: dict[str, list[_Sample]] = {}
        self._asking = asyncio.Semaphore(20)

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return "balancer errors"

    async def begin(self, hosts: Sequence[str]) -> None:
        """The first samples; a balancer that does not answer yet is asked again later."""
        await asyncio.gather(
            *(self._look(host, math.inf) for host in hosts), return_exceptions=True
        )

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Growth between the samples of the window."""
        await self._look(host, until)
        kept = self._samples.get(host, [])
        before = [one for one in kept if since - _BEFORE <= one.at <= since]
        window = [*before[-1:], *(one for one in kept if since < one.at <= until)]
        steps = [pair for pair in pairwise(window) if _forward(*pair)]
        if not steps:
            return None
        return Count(
            errors=sum(b.errors - a.errors for a, b in steps),
            seconds=sum(b.at - a.at for a, b in steps),
            total=sum(b.requests - a.requests for a, b in steps),
        )

    async def _look(self, host: str, until: float) -> None:
        """A new sample, unless what is asked for is over."""
        kept = self._samples.setdefault(host, [])
        async with self._asking:
            if kept and kept[-1].at >= until:
                return
            now = self._reach.clock.now()
            sample = await self._sample(host, until if now - _NEAR < until < now else now)
        if sample is not None:
            kept.append(sample)
            del kept[:-_KEPT]

    async def _sample(self, host: str, at: float) -> _Sample | None:
        """All balancers' counters at once; None where none of them counts."""
        chosen = [one for one in self._reach.balancers() if self._wanted(one)]
        copies = self._reach.instances(host)
        try:
            found = await asyncio.gather(*(b.counters(copy) for b in chosen for copy in copies))
        except GaplessError as error:
            raise SourceUnavailable(
                f"the balancer's counters cannot be read: {error.what}",
                where=error.where or host,
                evidence=error.evidence,
            ) from error
        counted = tuple(one for one in found if one.detail or one.lives)
        return _Sample(at, counted) if counted else None

    def _wanted(self, balancer: Balancer) -> bool:
        return not self._config.balancer or balancer.name in self._config.balancer


def _forward(earlier: _Sample, later: _Sample) -> bool:
    """Whether the same processes of the same nodes went on counting."""
    return len(earlier.parts) == len(later.parts) and all(
        before.detail.keys() == after.detail.keys()
        and not after.began_anew(before)
        and after.requests >= before.requests
        and after.errors >= before.errors
        for before, after in zip(earlier.parts, later.parts, strict=True)
    )
