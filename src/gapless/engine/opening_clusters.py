"""Before the first change: every cluster lets a member of it be stopped, or nothing is touched."""

from __future__ import annotations

from gapless.drivers.clusters.base import Cluster
from gapless.engine.context import RolloutContext
from gapless.engine.members import objections, refusing
from gapless.engine.neighbour_members import objections_of_neighbours
from gapless.errors import ClusterError, PreflightFailed
from gapless.plans import ServicePlan, StepKind

_LINES = 20


async def ask_clusters(ctx: RolloutContext) -> None:
    """Raises PreflightFailed with what its members say; what is forced is told."""
    for service in ctx.plan.services:
        cluster = ctx.assembly.cluster(service.name)
        if cluster is not None and StepKind.EVACUATE in service.steps:
            await _ask(ctx, service, cluster)


def begin_all(service: str) -> str:
    """What to do where nothing of a cluster runs: a rollout goes from member to member, and the
    first one of a cluster that is not there would have nobody to join."""
    return (
        f"where no member of {service} runs: start it on all its hosts as its own manual says; no"
        " rollout begins before several members answer"
    )


async def _answers(cluster: Cluster) -> bool:
    try:
        await cluster.topology()
    except ClusterError:
        return False
    return True


async def _ask(ctx: RolloutContext, service: ServicePlan, cluster: Cluster) -> None:
    try:
        alone = [(host,) for host in service.hosts]
        _, found = await objections(cluster, ctx.clock, alone, reserve=service.reserve)
    except ClusterError as error:
        steps = [error.next, *([] if await _answers(cluster) else [begin_all(service.name)])]
        raise PreflightFailed(
            error.what,
            where=error.where,
            evidence=error.evidence,
            next="\n".join(filter(None, steps)),
        ) from error
    found += await objections_of_neighbours(ctx.assembly, ctx.clock, service.name, alone)
    holding = refusing(found, force=bool(ctx.plan.force))
    for one in found:
        if one not in holding:
            ctx.emit(
                "step.skipped", service=service.name, step="preflight",
                data={"why": f"forced: {one}"},
            )  # fmt: skip
    if holding:
        raise PreflightFailed(
            f"{service.name}: {holding[0]}",
            where=cluster.kind,
            evidence="\n".join(f"{one.code}: {one}" for one in holding[:_LINES]),
            next=holding[0].next,
        )
