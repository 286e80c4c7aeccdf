"""warm: requests to the new instance before clients reach it, so that its caches are filled."""

from __future__ import annotations

from gapless.config.warming import WarmConfig
from gapless.drivers.transports.base import Probe
from gapless.engine.asked_release import goal_name
from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import ask, tell
from gapless.engine.steps.questions import ask_questions, gates_traffic
from gapless.errors import NotReady
from gapless.model import Verdict
from gapless.plans import StepKind


class Warm(Step):
    """Each request as often as was asked for, one after another: a flood would be no warm-up."""

    kind = StepKind.WARM
    shown = ("asked", "missed")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Ask them all; a request that is required and fails keeps the instance out of traffic."""
        release = await goal_name(ctx, [one.check for one in ctx.config.warm])
        probes = ctx.rollout.assembly.warm(ctx.instance, release)
        asked = missed = 0
        for wanted, probe in zip(ctx.config.warm, probes, strict=True):
            number, failed = await self._warm(ctx, wanted, probe)
            asked += number
            missed += len(failed)
            if failed:
                tell(ctx, self.kind, failed[-1:])
            if failed and wanted.required:
                raise _cold(ctx, wanted, failed, number)
        if gates_traffic(ctx, self.kind):
            await ask_questions(ctx, self.kind, NotReady)
        return {"asked": asked, "missed": missed}

    async def _warm(
        self, ctx: InstanceContext, wanted: WarmConfig, probe: Probe
    ) -> tuple[int, list[Verdict]]:
        """How many were asked, and the answers that were not good."""
        clock = ctx.rollout.clock
        until = clock.monotonic() + wanted.timeout
        failed: list[Verdict] = []
        for number in range(wanted.times):
            left = until - clock.monotonic()
            if left <= 0:
                return number, failed
            (verdict,) = await ask(ctx, (probe,), passes=1, every=0.1, within=0.0)
            if not verdict.passed:
                failed.append(verdict)
        return wanted.times, failed


def _cold(ctx: InstanceContext, wanted: WarmConfig, failed: list[Verdict], asked: int) -> NotReady:
    error = NotReady(
        f"{len(failed)} of {asked} warm-up requests failed",
        where=str(ctx.instance),
        evidence=str(failed[-1]),
    )
    error.verdict = failed[-1]
    return error
