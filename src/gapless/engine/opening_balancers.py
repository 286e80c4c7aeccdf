"""Before the first change: every balancer answers on every node and has what is to be touched.

A drain would find out as well, with the instance half-way out already, or with the way back closed.
"""

from __future__ import annotations

from collections.abc import Iterable

from gapless.drivers.balancers.base import Balancer
from gapless.drivers.runtimes.paired import copies_of
from gapless.engine import in_balancers
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.first_install import removes
from gapless.errors import PreflightFailed
from gapless.model import Instance
from gapless.plans import ServicePlan, StepKind, Verb

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
    """One that was silent is told as such; what else is missing is told together."""
    found = await in_balancers.ask(balancer, list(_to_be_steered(ctx, service, balancer)))
    for one in found:
        if one.silence is not None and one.objection is not None:
            raise one.objection from one.silence
    missing = [objection for one in found if (objection := one.objection) is not None]
    if missing:
        missing[0].evidence = "\n".join(error.evidence for error in missing)
        raise missing[0]


def _to_be_steered(
    ctx: RolloutContext, service: ServicePlan, balancer: Balancer
) -> Iterable[Instance]:
    """Not what is to come or to go for good. To be drained may be what is gone: what steers it on
    its own host is gone, too."""
    its_own = not balancer.hosts and ctx.plan.verb is Verb.DRAIN
    for host in service.hosts:
        instance = InstanceContext(ctx, service, host)
        gone = (service.name, host) in ctx.lost
        gone = gone or (its_own and host in ctx.floors[service.name].broken)
        if not gone and host not in service.installs and not removes(instance):
            yield from copies_of(ctx.assembly.runtime(service.name), instance.instance)
