"""soak: watch after ready; a crash, a restart or a failed check in it is a failure.

A state check is not enough: systemd calls a unit that dies every two seconds "active" nearly all
the time. InvocationID, NRestarts and main PID must stay what they were when it became ready. Where
``verify`` counts errors they are judged meanwhile: what is worse than before ends the soak.
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.rates import benches_of, watch_rates
from gapless.engine.steps.base import Facts, Step
from gapless.engine.watching import stays_up, until_wanted_out
from gapless.plans import StepKind


class Soak(Step):
    """Watched on the host, four looks a second at the identity."""

    kind = StepKind.SOAK

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Watch for the whole time; end at the first finding."""
        seconds = ctx.config.soak or 0.0
        benches = benches_of(ctx)
        judged = [watch_rates(ctx, benches)] if benches else []
        await stays_up(ctx, self.kind, seconds, [*judged, until_wanted_out(ctx)])
        return {"seconds": seconds}
