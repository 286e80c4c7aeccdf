"""How long drains last in balancers that have to be asked for it, for the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from gapless.drivers.balancers.base import Balancer, TellsDelay
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError


async def drain_delays(assembly: ProjectAssembly, services: Iterable[str]) -> Mapping[str, float]:
    """Seconds by balancer. One that does not answer is left out: a plan is no worse without, and
    ``doctor`` and the drain itself say what is wrong."""
    found = {b.name: b for name in services for b in assembly.balancers(name)}
    asked = await asyncio.gather(*(_ask(balancer) for balancer in found.values()))
    return {
        name: delay for name, delay in zip(found, asked, strict=True) if delay is not None
    }  # fmt: skip


async def _ask(balancer: Balancer) -> float | None:
    if not isinstance(balancer, TellsDelay):
        return None
    try:
        return await balancer.drain_delay()
    except GaplessError:
        return None
