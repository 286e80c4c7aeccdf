"""Before the first change: every cluster lets a member of it be stopped, or nothing is touched."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster
from gapless.engine.context import RolloutContext
from gapless.engine.members import member_on, refusing, unsafe
from gapless.errors import ClusterError, PreflightFailed
from gapless.plans import ServicePlan, StepKind

_LINES = 20


async def ask_clusters(ctx: RolloutContext) -> None:
    """Raises PreflightFailed with what its members say; what is forced is told."""
    for service in ctx.plan.services:
        cluster = ctx.assembly.cluster(service.name)
        if cluster is not None and StepKind.EVACUATE in service.steps:
            await _ask(ctx, service, cluster)


async def _ask(ctx: RolloutContext, service: ServicePlan, cluster: Cluster) -> None:
    try:
        found = await objections(cluster, await cluster.topology(), service.hosts)
    except ClusterError as error:
        raise PreflightFailed(
            error.what, where=error.where, evidence=error.evidence, next=error.next
        ) from error
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


async def objections(
    cluster: Cluster, topology: Topology, hosts: Sequence[str]
) -> tuple[Finding, ...]:
    """What speaks against stopping the members on these hosts, each by itself, said once."""
    found: dict[Finding, None] = {}
    for host in hosts:
        member = member_on(topology, cluster, host)
        found.update(dict.fromkeys(await unsafe(cluster, topology, member.id)))
    return tuple(found)
