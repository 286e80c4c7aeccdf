"""The questions of ``verify``: before an instance gets traffic, and once more when it has it.

A check that fails must stop the admit behind it. So known endpoints are asked as soon as the new
instance is ready, while no client can reach it; after the soak they are asked again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.engine.context import InstanceContext
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.errors import StepError
from gapless.model import Verdict
from gapless.plans import StepKind


async def ask_questions(
    ctx: InstanceContext, step: StepKind, failure: type[StepError]
) -> Sequence[Verdict]:
    """Ask each with its retries; raises ``failure`` with the answer that decides."""
    probes = ctx.rollout.assembly.verify(ctx.service.name, ctx.host)
    if not probes:
        return ()
    patience = timing(ctx.config.verify)
    verdicts = await ask(
        ctx,
        probes,
        passes=patience.passes,
        every=max(patience.retry_delay, 0.05),
        within=patience.retries * patience.retry_delay,
    )
    tell(ctx, step, verdicts)
    finding = worst(verdicts)
    if finding is not None:
        missed = "\n".join(str(verdict) for verdict in verdicts if not verdict.passed)
        error = failure(f"verify: {finding.answer}", where=str(ctx.instance), evidence=missed)
        error.verdict = finding
        raise error
    return verdicts
