"""The sources of releases and configuration, compared with the plan before the first change of the
whole rollout."""

from __future__ import annotations

import asyncio

from gapless.drivers.releases.aside import cancellable
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import RolloutContext
from gapless.errors import ReleaseGone, StalePlan
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
    await _compare_configuration(ctx)


async def _compare_configuration(ctx: RolloutContext) -> None:
    """Of every host, before the first is touched: a name that is not defined any more is found
    out here as well."""
    other = [f"{s.name}@{h}" for s in ctx.plan.services for h in await _other_files(ctx, s)]
    if other:
        raise StalePlan(
            "the configuration is not what was planned",
            where=", ".join(dict.fromkeys(name.partition("@")[0] for name in other)),
            evidence=f"a template, a variable or a secret changed since: {', '.join(other)}",
            next=f"gapless plan {ctx.plan.verb.value}",
        )


async def _other_files(ctx: RolloutContext, service: ServicePlan) -> list[str]:
    files = ctx.assembly.config_files(service.name) if service.config else None
    if files is None:
        return []
    rendered = await files.render(service.config, str(service.to.get("name", "")))
    return [host for host, planned in service.config.items() if rendered[host].mark != planned]


async def _difference(ctx: RolloutContext, service: ServicePlan) -> str:
    release = ctx.assembly.release(service.name)
    if release is None:
        return ""
    planned = ReleaseRef.from_json(service.to)
    try:
        now = await cancellable(lambda: release.resolve(planned.name))
    except ReleaseGone as gone:
        return f"{service.name}: planned {planned.name} ({planned.digest}): {gone.evidence}"
    if now.digest == planned.digest:
        return ""
    return (
        f"{service.name}: planned {planned.name} ({planned.digest}), is {now.name} ({now.digest})"
    )
