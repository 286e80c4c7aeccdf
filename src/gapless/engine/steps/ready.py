"""ready: the new instance itself answers its checks, n times in a row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gapless.config.health import HealthConfig
from gapless.drivers.runtimes.own_check import asked_of
from gapless.engine.asked_release import goal_name
from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.engine.steps.questions import ask_questions, gates_traffic
from gapless.errors import NotReady
from gapless.model import InstanceState, Observation, Verdict
from gapless.plans import StepKind

LOOK_EVERY = 1.0
"""Seconds between looks at the state while the checks are asked, to fail early on a dead unit."""


class Ready(Step):
    """Polled on the host. A unit that is failed for two looks in a row is not waited for."""

    kind = StepKind.READY
    shown = ("identity", "asked")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Wait for the state and the checks, whichever fails first decides."""
        patience = timing(ctx.config.health)
        asking = asyncio.create_task(self._ask(ctx, patience))
        dying = asyncio.create_task(self._watch_for_death(ctx))
        try:
            done, _ = await asyncio.wait({asking, dying}, return_when=asyncio.FIRST_COMPLETED)
            if asking not in done:
                raise dying.result()
            verdicts = asking.result()
        finally:
            for task in (asking, dying):
                task.cancel()
            await asyncio.gather(asking, dying, return_exceptions=True)
        tell(ctx, self.kind, verdicts)
        finding = worst(verdicts)
        if finding is not None:
            raise not_ready(ctx, finding, patience.timeout)
        identity = await self._identity(ctx, patience.timeout)
        if gates_traffic(ctx, self.kind):
            await ask_questions(ctx, self.kind, NotReady)
        return {**identity, "asked": bool(verdicts)}

    async def _ask(self, ctx: InstanceContext, patience: HealthConfig) -> Sequence[Verdict]:
        if ctx.rollout.plan.force:
            return ()
        release = await goal_name(ctx, ctx.config.health)
        health = ctx.rollout.assembly.health(ctx.instance, release)
        probes = await asked_of(ctx.runtime, ctx.transport, health)
        if not probes:
            return ()
        return await ask(
            ctx,
            probes,
            passes=patience.passes,
            every=patience.poll,
            within=patience.timeout,
            eager=True,
        )

    async def _watch_for_death(self, ctx: InstanceContext) -> NotReady:
        failed = 0
        while failed < 2:
            await ctx.rollout.clock.sleep(LOOK_EVERY)
            observation = await ctx.runtime.observe(ctx.transport)
            failed = failed + 1 if observation.state is InstanceState.FAILED else 0
        return NotReady(
            f"{ctx.runtime.unit or ctx.service.name} is {_state(observation)}",
            where=str(ctx.instance),
            evidence=observation.detail.get("status") or _state(observation),
        )

    async def _identity(self, ctx: InstanceContext, timeout: float) -> Facts:
        """The state must be running, too; its identity is what the soak holds on to."""
        clock = ctx.rollout.clock
        deadline = clock.monotonic() + timeout
        while True:
            now = await ctx.runtime.observe(ctx.transport)
            if now.state is InstanceState.RUNNING:
                _refuse_moved(ctx, now)
                return {"observation": now.to_json(), "identity": now.identity}
            if clock.monotonic() >= deadline or now.state is InstanceState.FAILED:
                raise NotReady(
                    f"not running after {timeout:g} s but {_state(now)}", where=str(ctx.instance)
                )
            await clock.sleep(0.2)


def _refuse_moved(ctx: InstanceContext, now: Observation) -> None:
    """An engine that was started anew may have given its address to another container: whoever
    answered there is not who would be admitted."""
    at = now.detail.get("address", "")
    if ctx.address and at and at != ctx.address:
        raise NotReady(
            f"it was started anew meanwhile, and is now at {at}, not at {ctx.address}",
            where=str(ctx.instance),
            evidence=f"identity {now.identity}",
            next=ctx.runtime.look(ctx.host),
        )


def not_ready(ctx: InstanceContext, finding: Verdict, timeout: float) -> NotReady:
    """The last answer, verbatim."""
    error = NotReady(
        f"not ready after {timeout:g} s", where=str(ctx.instance), evidence=str(finding)
    )
    error.verdict = finding
    return error


def _state(observation: Observation) -> str:
    sub = observation.detail.get("SubState", "")
    result = observation.detail.get("Result", "")
    words = [observation.state.value, f"({sub})" if sub else ""]
    words.append(f"result {result}" if result not in ("", "success") else "")
    return " ".join(word for word in words if word)
