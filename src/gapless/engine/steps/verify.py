"""verify: the questions asked once the instance serves."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.errors import Unstable
from gapless.plans import StepKind


class Verify(Step):
    """A failure undoes the instance like a failed soak."""

    kind = StepKind.VERIFY

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Ask every verify check, with its retries."""
        probes = ctx.rollout.assembly.verify(ctx.service.name, ctx.host)
        patience = timing(ctx.config.verify)
        verdicts = await ask(
            ctx,
            probes,
            passes=patience.passes,
            every=max(patience.retry_delay, 0.05),
            within=patience.retries * patience.retry_delay,
        )
        tell(ctx, self.kind, verdicts)
        finding = worst(verdicts)
        if finding is not None:
            error = Unstable(
                f"verify: {finding.answer}", where=str(ctx.instance), evidence=str(finding)
            )
            error.verdict = finding
            raise error
        return {"checks": len(verdicts)}
