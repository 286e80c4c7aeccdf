"""verify: the questions asked once the instance serves, and its errors judged to the end.

1. Every check is asked once more (questions.py), with its retries.
2. Rates, which were looked at while it soaked, are looked at until each is decided (rates.py).
3. Levels are waited for until each is back (levels.py).
"""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.levels import decide_levels
from gapless.engine.rates import benches_of, decide_rates
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.questions import ask_questions
from gapless.errors import Unstable
from gapless.plans import StepKind


class Verify(Step):
    """A failure undoes the instance like a failed soak. Raises Held where a person is asked."""

    kind = StepKind.VERIFY

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Ask the checks first: they are quick, and one that fails needs no statistics."""
        verdicts = await ask_questions(ctx, self.kind, Unstable)
        benches = benches_of(ctx)
        rates = {"rates": await decide_rates(ctx, benches)} if benches else {}
        levels = await decide_levels(ctx)
        return {"checks": len(verdicts), **rates, **({"levels": levels} if levels else {})}
