"""A restart that a person cuts short has nothing old to go back to: release and files are those
from before, and to start it once more would be one restart more that changes nothing.

1. So a copy that was started anew is only looked at, as one that was taken back: it gets ready,
   and is one of its cluster again.
2. Where it does not, to start it once more is what is left, as after a failure.
3. It is then let in and watched like any other.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.perform import perform
from gapless.engine.steps.lifecycle import STEPS
from gapless.errors import FenceRefused, GaplessError
from gapless.plans import StepKind, Verb

_WHY = "to start it once more would change nothing: it is well"


async def well_already(ctx: InstanceContext, back: InstanceContext) -> bool:
    """Whether it may stay as it is; ``back`` is the same on its way back."""
    switch = ctx.rollout.steps.get(ctx.key(StepKind.SWITCH))
    restarted = ctx.rollout.plan.verb is Verb.RESTART and switch is not None and switch.good
    if not restarted or ctx.key("undo-switch") in ctx.rollout.steps:
        return False
    try:
        for kind in (StepKind.READY, StepKind.REJOIN):
            if kind in ctx.service.steps:
                key = ctx.key(f"undo-still-{kind.value}")
                back.facts[kind] = await perform(STEPS[kind], back, key)
    except FenceRefused:
        raise
    except GaplessError:
        return False
    ctx.emit("step.skipped", "switch", why=_WHY)
    return True
