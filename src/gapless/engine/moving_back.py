"""The way back of what a person drained or admitted by hand: out of an abort, and of nothing else.

1. Nothing was switched, so there is no plan to go back by: every instance that came through is
   taken back as one under way is.
2. What was drained goes into traffic again where it was in before, and only when its own checks
   pass: it may have gone bad since. What a person had out before stays out.
3. What was admitted goes out again where it was out before, and its host remembers for whom.
4. A failure alone takes nothing back: who asks for three and gets two has two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.replacing import move_instance_back
from gapless.engine.servicing import ServiceOutcome, ServiceResult


async def move_back(
    ctx: RolloutContext, gate: Gatekeeper, results: Mapping[str, ServiceResult]
) -> None:
    """Rewrites ``results``, where somebody wants all of it back."""
    if not _wanted(ctx, gate, results):
        return
    moved = [
        (result, InstanceContext(ctx, ctx.plan.service(name), replaced.host))
        for name, result in results.items()
        for replaced in result.instances.values()
        if replaced.good
    ]
    back = await asyncio.gather(*(move_instance_back(instance) for _, instance in moved))
    for (result, _), replaced in zip(moved, back, strict=True):
        result.instances[replaced.host] = replaced
        if result.outcome is ServiceOutcome.DONE:
            result.outcome, result.why = ServiceOutcome.FAILED, "taken back"


def _wanted(ctx: RolloutContext, gate: Gatekeeper, results: Mapping[str, ServiceResult]) -> bool:
    """An abort, or the second Ctrl-C while something was under way."""
    cut_short = any(result.outcome is ServiceOutcome.FAILED for result in results.values())
    return bool(gate.aborted) or (ctx.interrupts.undo.is_set() and cut_short)
