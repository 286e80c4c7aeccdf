"""Before the first change: every host answers, every instance is fit — or nothing is touched."""

from __future__ import annotations

import asyncio

from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.floor import Floor
from gapless.engine.steps.health import tell, worst
from gapless.engine.steps.preflight import examine, unfit
from gapless.errors import GaplessError, PreflightFailed
from gapless.plans import ServicePlan

AT_ONCE = 50
"""Instances examined at the same time; connections have a limit of their own."""
_LINES = 20
"""Lines of evidence in a refusal."""
_NAMED = 5
"""Hosts that the next command names."""


async def examine_all(ctx: RolloutContext) -> None:
    """Examine every instance of the plan and the untouched ones that count for the floor.

    Unfit or unreachable instances beyond ``max_failed`` refuse the whole rollout; fewer are left
    out, counted as failed and as broken for the floor."""
    gate = asyncio.Semaphore(AT_ONCE)
    services = (_open_service(ctx, service, gate) for service in ctx.plan.services)
    for result in await asyncio.gather(*services, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _open_service(ctx: RolloutContext, service: ServicePlan, gate: asyncio.Semaphore) -> None:
    floor = floor_of(ctx, service)
    touched = set(service.hosts)
    answers = await asyncio.gather(
        *(_examine(ctx, service, host, gate, host in touched) for host in sorted(floor.hosts))
    )
    findings = {host: error for host, error in answers if error is not None}
    floor.broken.update(findings, service.installs)
    unfit_here = {host: error for host, error in findings.items() if host in touched}
    if len(unfit_here) > service.max_failed:
        raise _refusal(service, unfit_here)
    for host, error in unfit_here.items():
        ctx.lost[service.name, host] = error


def floor_of(ctx: RolloutContext, service: ServicePlan) -> Floor:
    """The service's floor, made at first use."""
    if service.name not in ctx.floors:
        hosts = {*ctx.assembly.hosts_of(service.name), *service.hosts}
        ctx.floors[service.name] = Floor(service.name, hosts, service.floor)
    return ctx.floors[service.name]


async def _examine(
    ctx: RolloutContext, service: ServicePlan, host: str, gate: asyncio.Semaphore, touched: bool
) -> tuple[str, GaplessError | None]:
    lost = ctx.lost.get((service.name, host))
    if lost is not None:
        return host, lost
    instance = InstanceContext(ctx, service, host)
    async with gate:
        try:
            if not touched:
                await instance.transport.connect()
            finding = worst(await examine(instance))
        except GaplessError as error:
            return host, error
    if finding is None:
        return host, None
    if touched:
        tell(instance, "preflight", [finding])
    return host, unfit(instance, finding)


def _refusal(service: ServicePlan, unfit_here: dict[str, GaplessError]) -> PreflightFailed:
    """One host: its error, as it is. Several: each is told in the evidence, and only there."""
    hosts = tuple(unfit_here)
    first = unfit_here[hosts[0]]
    doctor = f"gapless doctor --hosts {','.join(hosts[:_NAMED])}"
    if len(hosts) == 1:
        return PreflightFailed(
            f"{service.name} on {hosts[0]} is not fit to be touched: {first.what}",
            where=first.where or hosts[0],
            evidence=first.evidence,
            next=first.next or doctor,
        )
    lines = [line for host, error in unfit_here.items() for line in _told(host, error)]
    more = [f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
    return PreflightFailed(
        f"{service.name} is not fit to be touched on {len(hosts)} hosts",
        where=first.where or hosts[0],
        evidence="\n".join([*lines[:_LINES], *more]),
        next=doctor,
    )


def _told(host: str, error: GaplessError) -> list[str]:
    return [f"{host}: {error.what}", *(f"  {line}" for line in error.evidence.splitlines())]
