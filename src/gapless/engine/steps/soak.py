"""soak: watch after ready; a crash, a restart or a failed check in it is a failure.

A state check is not enough: systemd calls a unit that dies every two seconds "active" nearly all
the time. InvocationID, NRestarts and main PID must stay what they were when it became ready. Where
``verify`` counts errors they are judged meanwhile: what is worse than before ends the soak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gapless.drivers.checks import asking
from gapless.engine.asked_release import goal_name
from gapless.engine.context import InstanceContext
from gapless.engine.rates import benches_of, watch_rates
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import side_here, tell, timing, worst
from gapless.errors import Unstable
from gapless.model import InstanceState, Observation, Verdict, VerdictStatus
from gapless.plans import StepKind


class Soak(Step):
    """Watched on the host, four looks a second at the identity."""

    kind = StepKind.SOAK

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Watch for the whole time; end at the first finding."""
        seconds = ctx.config.soak or 0.0
        ready = ctx.facts.get(StepKind.READY, {}).get("observation")
        observation = (
            Observation.from_json(ready) if ready else await ctx.runtime.observe(ctx.transport)
        )
        patience = timing(ctx.config.health)
        forced = bool(ctx.rollout.plan.force)
        release = await goal_name(ctx, ctx.config.health)
        probes = () if forced else ctx.rollout.assembly.health(ctx.instance, release)
        here = await side_here(ctx, probes)
        watching = asking.watch(
            ctx.transport,
            lambda: here,
            ctx.runtime.unit,
            probes,
            seconds=seconds,
            every=patience.interval,
            retries=patience.retries,
            retry_delay=patience.retry_delay,
            identity=ctx.runtime.soak_identity(observation),
            kept=ctx.rollout.secrets,
        )
        verdicts = await self._while_judged(ctx, watching)
        if not ctx.runtime.unit:
            verdicts = (*verdicts, await self._same(ctx, observation))
        tell(ctx, self.kind, verdicts)
        finding = worst(verdicts)
        if finding is not None:
            error = Unstable(
                f"did not stay up for {seconds:g} s",
                where=str(ctx.instance),
                evidence=str(finding),
            )
            error.verdict = finding
            raise error
        return {"seconds": seconds}

    async def _while_judged(
        self, ctx: InstanceContext, watching: Coroutine[Any, Any, tuple[Verdict, ...]]
    ) -> tuple[Verdict, ...]:
        """The answers of the watch, unless its errors are judged worse before it ends."""
        benches = benches_of(ctx)
        if not benches:
            return await watching
        tasks = [
            asyncio.create_task(watching),
            asyncio.create_task(watch_rates(ctx, benches)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = next(task for task in reversed(tasks) if task.done())
            answers: tuple[Verdict, ...] = ended.result()
            return answers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _same(self, ctx: InstanceContext, ready: Observation) -> Verdict:
        """A runtime without a unit to watch tells at the end whether it is still the same copy."""
        now = await ctx.runtime.observe(ctx.transport)
        same = now.state is InstanceState.RUNNING and now.identity == ready.identity
        return Verdict(
            VerdictStatus.PASS if same else VerdictStatus.FAIL,
            "identity",
            "status",
            f"{now.state.value}, identity {now.identity or 'none'}",
            f"identity {ready.identity}",
        )
