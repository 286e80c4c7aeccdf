"""park: the old set stands by, drained and running, for as long as was asked for.

Whoever wants out meanwhile (``gapless abort``, a second Ctrl-C) has clients on the old set at once.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.watching import LISTEN_EVERY, heed
from gapless.plans import StepKind


class Park(Step):
    """Only waits; a controller that goes on after a crash waits for the rest."""

    kind = StepKind.PARK

    async def observe(self, ctx: InstanceContext) -> Facts:
        """Until when, by the wall clock: the wait outlives the process."""
        return {"until": ctx.rollout.clock.now() + ctx.config.rollout.park}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Wait until then."""
        clock, began = ctx.rollout.clock, ctx.rollout.clock.monotonic()
        left = float(before["until"]) - clock.now()
        until = began + max(0.0, min(left, ctx.config.rollout.park))
        while (left := until - clock.monotonic()) > 0:
            heed(ctx)
            await clock.sleep(min(left, LISTEN_EVERY))
        return {"seconds": round(clock.monotonic() - began, 3)}
