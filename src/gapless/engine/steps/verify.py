"""verify: the questions asked once the instance serves, and its errors judged to the end.

1. Every check is asked, with its retries.
2. Rates, which were looked at while it soaked, are looked at until each is decided (rates.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.engine.context import InstanceContext
from gapless.engine.rates import benches_of, decide_rates
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.errors import Unstable
from gapless.model import Verdict
from gapless.plans import StepKind


class Verify(Step):
    """A failure undoes the instance like a failed soak. Raises Held where a person is asked."""

    kind = StepKind.VERIFY

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Ask the checks first: they are quick, and one that fails needs no statistics."""
        verdicts = await self._ask(ctx)
        tell(ctx, self.kind, verdicts)
        finding = worst(verdicts)
        if finding is not None:
            error = Unstable(
                f"verify: {finding.answer}", where=str(ctx.instance), evidence=str(finding)
            )
            error.verdict = finding
            raise error
        benches = benches_of(ctx)
        rates = {"rates": await decide_rates(ctx, benches)} if benches else {}
        return {"checks": len(verdicts), **rates}

    async def _ask(self, ctx: InstanceContext) -> Sequence[Verdict]:
        probes = ctx.rollout.assembly.verify(ctx.service.name, ctx.host)
        if not probes:
            return ()
        patience = timing(ctx.config.verify)
        return await ask(
            ctx,
            probes,
            passes=patience.passes,
            every=max(patience.retry_delay, 0.05),
            within=patience.retries * patience.retry_delay,
        )
