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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gapless.config.verify_rates import BalancerErrorsConfig
from gapless.drivers.balancers.base import Balancer, Counters
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach
from gapless.errors import GaplessError, SourceUnavailable
from gapless.model import Instance

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
    parts: Mapping[tuple[str, str, str], Counters]
    """Of each balancer that counts, for each copy: by name, slot, and the address of its own."""

    @property
    def requests(self) -> int:
        return sum(part.requests for part in self.parts.values())

    @property
    def errors(self) -> int:
        return sum(part.errors for part in self.parts.values())

    def of(self, slot: str) -> _Sample:
        """What was counted of one copy."""
        return _Sample(self.at, {key: part for key, part in self.parts.items() if key[1] == slot})


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
        return _grown(self._samples.get(host, []), since, until)

    async def begin_copy(self, copy: Instance) -> None:
        """A sample with the member of this copy."""
        await self.begin([copy.host])

    async def count_copy(self, copy: Instance, since: float, until: float) -> Count | None:
        """The same of the members of one copy."""
        await self._look(copy.host, until)
        kept = [sample.of(copy.slot) for sample in self._samples.get(copy.host, [])]
        return _grown([sample for sample in kept if sample.parts], since, until)

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
        try:
            copies = await self._reach.instances(host)
            asked = [(balancer, copy) for balancer in chosen for copy in copies]
            found = await asyncio.gather(*(balancer.counters(copy) for balancer, copy in asked))
        except GaplessError as error:
            raise SourceUnavailable(
                f"the balancer's counters cannot be read: {error.what}",
                where=error.where or host,
                evidence=error.evidence,
            ) from error
        counted = {
            (balancer.name, copy.slot, copy.address): one
            for (balancer, copy), one in zip(asked, found, strict=True)
            if one.detail or one.lives
        }
        return _Sample(at, counted) if counted else None

    def _wanted(self, balancer: Balancer) -> bool:
        return not self._config.balancer or balancer.name in self._config.balancer


def _grown(kept: Sequence[_Sample], since: float, until: float) -> Count | None:
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


def _forward(earlier: _Sample, later: _Sample) -> bool:
    """Whether the same processes of the same nodes went on counting."""
    return earlier.parts.keys() == later.parts.keys() and all(
        before.detail.keys() == after.detail.keys()
        and not after.began_anew(before)
        and after.requests >= before.requests
        and after.errors >= before.errors
        for before, after in ((earlier.parts[key], later.parts[key]) for key in later.parts)
    )
