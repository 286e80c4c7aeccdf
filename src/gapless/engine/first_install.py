"""A unit that a deploy brings to a host that has none yet.

1. The plan names those hosts (``ServicePlan.installs``); any other missing unit is refused.
2. Nothing has to be healthy before, and nothing is taken away from clients: it counts as broken
   for the floor until it serves.
3. Going back is stopping and removing it. Then there is nothing to ask, to admit or to watch; it is
   left out of traffic, and remembered as left out by us, so that the next deploy lets it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.engine.context import InstanceContext
from gapless.engine.left_out import remember_left_out
from gapless.model import InstanceState, Observation
from gapless.plans import StepKind, Verb

NOTHING_TO_ASK = frozenset(
    (StepKind.READY, StepKind.REJOIN, StepKind.WARM, StepKind.ADMIT, StepKind.SOAK, StepKind.VERIFY)
)
"""Steps that a removed instance has no use for."""


def installs(ctx: InstanceContext, now: Observation) -> bool:
    """Whether this deploy is to install the unit that is not there."""
    return ctx.host in ctx.service.installs and now.state is InstanceState.MISSING


def removes(ctx: InstanceContext) -> bool:
    """Whether going back means that it goes away."""
    back = ctx.rollout.plan.verb is Verb.ROLLBACK
    return back and was_absent(ctx.service.snapshots.get(ctx.host) or {})


def was_absent(snapshot: Mapping[str, Any]) -> bool:
    """Whether a snapshot was taken where there was nothing."""
    return RuntimeSnapshot.from_json(snapshot.get("runtime") or {}).absent


async def stay_out(ctx: InstanceContext) -> None:
    """Leave it out of traffic, and say so."""
    names = [balancer.name for balancer in ctx.rollout.assembly.balancers(ctx.service.name)]
    if names:
        again = f"gapless deploy {ctx.service.name} --hosts {ctx.host}"
        why = "it is not installed"
        ctx.emit(
            "instance.left_out", "admit", balancer=", ".join(names), why=why, next=again
        )  # fmt: skip
        await remember_left_out(ctx, left_out=True)
