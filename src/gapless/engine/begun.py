"""What the journal says was begun of a service, and what came to its end."""

from __future__ import annotations

from gapless.engine.context import InstanceContext, RolloutContext
from gapless.plans import ServicePlan


def closed(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    """Whether an instance had its last word."""
    record = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
    return record is not None and record.closed


def was_begun(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    """Whether an earlier controller had to do with an instance."""
    return closed(ctx, service, host) or InstanceContext(ctx, service, host).begun


def last_begun(ctx: RolloutContext, service: ServicePlan) -> int:
    """The last batch that was begun, -1 for none: those before it were judged when they ended."""
    begun = (
        number
        for number, batch in enumerate(service.batches)
        if any(was_begun(ctx, service, host) for host in batch.hosts)
    )
    return max(begun, default=-1)
