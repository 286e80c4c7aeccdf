"""Before the first change: every balancer answers on every node and has what is to be touched.

A drain would find out as well, with the instance half-way out already, or with the way back closed.
How an instance does in the balancer is not judged here: what is sick may be taken out of traffic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gapless.drivers.balancers.base import Balancer, MemberState
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.first_install import removes
from gapless.errors import GaplessError, PreflightFailed
from gapless.plans import ServicePlan, StepKind, Verb

AT_ONCE = 10
"""Instances asked about at the same time, of one balancer."""
_STEERED = (StepKind.DRAIN, StepKind.ADMIT)


async def ask_balancers(ctx: RolloutContext) -> None:
    """Raises PreflightFailed with what the nodes say; with --force it is told, and that is all."""
    for service in ctx.plan.services:
        if not any(kind in service.steps for kind in _STEERED):
            continue
        for balancer in ctx.assembly.balancers(service.name):
            try:
                await _ask(ctx, service, balancer)
            except PreflightFailed as error:
                if not ctx.plan.force:
                    raise
                ctx.emit(
                    "step.skipped", service=service.name, host=error.where, step="preflight",
                    data={"why": f"forced: {error.what}"},
                )  # fmt: skip


async def _ask(ctx: RolloutContext, service: ServicePlan, balancer: Balancer) -> None:
    """The first instance alone: a balancer that is gone is waited for once."""
    instances = list(_to_be_steered(ctx, service, balancer))
    gate = asyncio.Semaphore(AT_ONCE)
    for some in (instances[:1], instances[1:]):
        found = await asyncio.gather(*(_unknown(one, balancer, gate) for one in some))
        missing = [error for error in found if error is not None]
        if missing:
            missing[0].evidence = "\n".join(error.evidence for error in missing)
            raise missing[0]


def _to_be_steered(
    ctx: RolloutContext, service: ServicePlan, balancer: Balancer
) -> Iterable[InstanceContext]:
    """Not what is to come or to go for good. To be drained may be what is gone: what steers it on
    its own host is gone, too."""
    its_own = not balancer.hosts and ctx.plan.verb is Verb.DRAIN
    for host in service.hosts:
        instance = InstanceContext(ctx, service, host)
        gone = (service.name, host) in ctx.lost
        gone = gone or (its_own and host in ctx.floors[service.name].broken)
        if not gone and host not in service.installs and not removes(instance):
            yield instance


async def _unknown(
    ctx: InstanceContext, balancer: Balancer, gate: asyncio.Semaphore
) -> PreflightFailed | None:
    """The refusal where a node does not know the instance. Raises PreflightFailed where one does
    not answer."""
    doctor = f"gapless doctor --hosts {ctx.host}"
    async with gate:
        try:
            members = await balancer.members(ctx.instance)
        except GaplessError as error:
            raise PreflightFailed(
                f"balancer {balancer.name} cannot be asked for {ctx.instance}: {error.what}",
                where=error.where or balancer.name,
                evidence=error.evidence,
                next=doctor,
            ) from error
    missing = [member for member in members if member.state is MemberState.MISSING]
    if not missing or balancer.capabilities().dynamic_members:
        return None
    return PreflightFailed(
        f"balancer {balancer.name} has no member for {ctx.instance}",
        where=missing[0].node or balancer.name,
        evidence="\n".join(
            f"{member.node or balancer.name}: {ctx.instance}: {member.raw or 'missing'}"
            for member in missing
        ),
        next=doctor,
    )
