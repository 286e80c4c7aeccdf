"""The questions of ``verify``: before an instance gets traffic, and once more when it has it.

A check that fails must stop the admit behind it. So known endpoints are asked when the new instance
is ready, and warm where it is warmed, while no client can reach it; after the soak they are asked
again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.engine.asked_release import goal_name
from gapless.engine.context import InstanceContext
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.errors import StepError
from gapless.model import Verdict
from gapless.plans import StepKind, Verb


def gates_traffic(ctx: InstanceContext, step: StepKind) -> bool:
    """Whether ``step`` is the last before clients reach it. What goes back was verified before."""
    last = StepKind.WARM if StepKind.WARM in ctx.service.steps else StepKind.READY
    back = ctx.undoing or ctx.rollout.plan.verb is Verb.ROLLBACK
    admitted = StepKind.ADMIT in ctx.service.steps
    return step is last and admitted and not back and not ctx.rollout.plan.force


async def ask_questions(
    ctx: InstanceContext, step: StepKind, failure: type[StepError]
) -> Sequence[Verdict]:
    """Ask each with its retries; raises ``failure`` with the answer that decides."""
    probes = ctx.rollout.assembly.verify(ctx.instance, await goal_name(ctx, ctx.config.verify))
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
