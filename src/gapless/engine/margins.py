"""When a rollout of a cluster did not end well: how much more the cluster bears, asked anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.clusters.margin import least, margin
from gapless.engine.context import RolloutContext
from gapless.engine.servicing import ServiceResult
from gapless.errors import GaplessError
from gapless.plans import ServicePlan, StepKind


async def tell_margins(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> None:
    """Of each cluster some member of which failed. One that cannot be asked is told as that."""
    for service in ctx.plan.services:
        if StepKind.EVACUATE in service.steps and results[service.name].failed:
            await _tell(ctx, service)


async def _tell(ctx: RolloutContext, service: ServicePlan) -> None:
    cluster = ctx.assembly.cluster(service.name)
    assert cluster is not None
    data: dict[str, Any]
    try:
        topology = await cluster.topology()
        data = {"least": least(topology), "lines": list(margin(topology))}
    except GaplessError as error:
        data = {"lines": [f"it cannot be asked: {error.what}"]}
    ctx.emit("cluster.margin", service=service.name, data=data)
