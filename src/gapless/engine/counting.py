"""Failed instances, counted over the whole rollout; and when it is one too many."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.engine.begun import closed
from gapless.engine.context import RolloutContext
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.plans import Batch, ServicePlan


def count_lost(ctx: RolloutContext, service: ServicePlan) -> None:
    """What is known to fail counts before its turn comes: fewer others are touched."""
    lost = [host for host in service.hosts if (service.name, host) in ctx.lost]
    still = {(service.name, host) for host in lost if not closed(ctx, service, host)}
    ctx.failed.update(still - ctx.accepted)


def count(
    ctx: RolloutContext, service: ServicePlan, batch: Batch, instances: Mapping[str, Replaced]
) -> None:
    """What failed of a batch that is over."""
    failed = {(service.name, host) for host in batch.hosts if instances[host].failed}
    ctx.failed.update(failed - ctx.accepted)


def too_many_failed(
    ctx: RolloutContext, service: ServicePlan, batch: Batch, instances: Mapping[str, Replaced]
) -> bool:
    """Whether the service stops after this batch."""
    canary_failed = batch.name.startswith("canary") and any(
        (service.name, host) in ctx.failed for host in batch.hosts
    )
    broken = any(r.outcome is InstanceOutcome.BROKEN for r in instances.values())
    ours = any(name == service.name for name, _ in ctx.failed)
    too_many = ours and len(ctx.failed) > service.max_failed
    lifted = bool(lifted_above(ctx, service))
    whole = _as_a_whole(ctx, service, batch, instances)
    return canary_failed or broken or too_many or lifted or whole


def lifted_above(ctx: RolloutContext, service: ServicePlan) -> tuple[str, ...]:
    """Hosts that failed and whose old release was bumped on its way back: the schema of the new one
    is too low for the data as soon as that runs, so nothing more of the new one can be brought."""
    return tuple(host for host in service.hosts if (service.name, host) in ctx.bumped & ctx.failed)


def _as_a_whole(
    ctx: RolloutContext, service: ServicePlan, batch: Batch, instances: Mapping[str, Replaced]
) -> bool:
    """Whether all of it failed; where nothing could be begun that is not the release's fault."""
    failed = all((service.name, host) in ctx.failed for host in batch.hosts)
    outcomes = {instances[host].outcome for host in batch.hosts}
    return failed and len(batch.hosts) > 1 and outcomes != {InstanceOutcome.LOST}
