"""The sources of releases, compared with the plan before the first change of the whole rollout."""

from __future__ import annotations

import asyncio

from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import RolloutContext
from gapless.errors import StalePlan
from gapless.plans import ServicePlan


async def compare_sources(ctx: RolloutContext) -> None:
    """Raise StalePlan when a source does not hold the release that was planned. Each stage looks
    again; by then other services may be new already."""
    services = [service for service in ctx.plan.services if service.to]
    told = await asyncio.gather(*(_difference(ctx, service) for service in services))
    found = {s.name: text for s, text in zip(services, told, strict=True) if text}
    if found:
        names = list(found)
        raise StalePlan(
            "the source is not the release that was planned",
            where=", ".join(names),
            evidence="\n".join(found.values()),
            next=f"gapless plan deploy {' '.join(names)}",
        )


async def _difference(ctx: RolloutContext, service: ServicePlan) -> str:
    release = ctx.assembly.release(service.name)
    if release is None:
        return ""
    planned = ReleaseRef.from_json(service.to)
    now = await asyncio.to_thread(release.resolve)
    if now.digest == planned.digest:
        return ""
    return (
        f"{service.name}: planned {planned.name} ({planned.digest}), is {now.name} ({now.digest})"
    )
