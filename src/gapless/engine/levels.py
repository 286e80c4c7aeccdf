"""Numbers that have to be back to what they were after each instance: latencies, lags.

1. The limit is ``most``, and ``times`` the median of what was in ``baseline`` before the rollout
   began, though no less than ``floor``. That moment is in the journal: a controller that goes on
   asks for the same.
2. Nothing that was measured before the switch, or within ``grace`` after it, counts.
3. It is looked at every ``interval`` until it was within its limit for ``steady``, or ``extend`` is
   over. Then too much undoes the instance. What is above ``most`` and was so before the rollout is
   not this instance's fault: a person decides.
4. No answer, no data, nothing fresh, nothing known of before: INCONCLUSIVE, never a PASS.
   ``on_insufficient`` decides, as for rates.
5. Not looked at on the way back, nor where --force forces.
"""

from __future__ import annotations

import asyncio
from statistics import median

from gapless.config.verify_levels import LevelConfig
from gapless.drivers.checks.levels import LevelSource
from gapless.engine.context import InstanceContext
from gapless.engine.held import Held, Why, held_before
from gapless.engine.steps.health import tell
from gapless.engine.windows import window_of
from gapless.errors import SourceUnavailable, Unstable
from gapless.model import Verdict, VerdictStatus
from gapless.plans import StepKind, Verb

_FORWARD = (Verb.DEPLOY, Verb.RESTART)
_SOON = 0.1


async def decide_levels(ctx: InstanceContext) -> int:
    """Wait until all are back; how many there are. Raises Unstable and Held."""
    plan = ctx.rollout.plan
    if ctx.undoing or plan.verb not in _FORWARD or plan.force:
        return 0
    named = ctx.rollout.assembly.levels(ctx.service.name)
    looking = [_Looking(ctx, config, source) for config, source in named]
    verdicts = await asyncio.gather(*(one.to_the_end() for one in looking))
    tell(ctx, StepKind.VERIFY, verdicts)
    for verdict in verdicts:
        if verdict.status is VerdictStatus.FAIL:
            raise _too_much(ctx, verdict)
    for (config, _), one, verdict in zip(named, looking, verdicts, strict=True):
        if not verdict.passed:
            _undecided(ctx, config, verdict, blamed=not one.excused)
    return len(verdicts)


def _undecided(
    ctx: InstanceContext, config: LevelConfig, verdict: Verdict, *, blamed: bool
) -> None:
    """``blamed``: whether it may be this instance's fault; else it is never undone."""
    if config.on_insufficient == "pass" or Why.INSUFFICIENT in held_before(ctx):
        return
    if config.on_insufficient == "pause" or not blamed:
        raise Held(Why.INSUFFICIENT, verdict)
    raise _too_much(ctx, verdict)


def _too_much(ctx: InstanceContext, verdict: Verdict) -> Unstable:
    error = Unstable(
        f"{verdict.check}: {verdict.answer}", where=str(ctx.instance), evidence=str(verdict)
    )
    error.verdict = verdict
    return error


def _new_since(ctx: InstanceContext) -> float:
    """Since when it is the new one that is measured: one that takes long to stop is measured while
    it does."""
    switched = ctx.rollout.steps.get(ctx.key(StepKind.SWITCH))
    ended = switched.ended if switched is not None and switched.good else 0.0
    return max(window_of(ctx).since, ended)


class _Looking:
    """At one level, for one instance."""

    def __init__(self, ctx: InstanceContext, config: LevelConfig, source: LevelSource) -> None:
        self._ctx, self._config, self._source = ctx, config, source
        self._clock = ctx.rollout.clock
        self._since = _new_since(ctx) + config.grace
        self.excused = False
        """Whether it was too much before, too."""
        self._was: float | None = None
        self._before = ""
        """Why that is not known."""

    async def to_the_end(self) -> Verdict:
        """The last look, as soon as it was good for long enough."""
        config, clock = self._config, self._clock
        await clock.sleep(max(0.0, self._since - clock.now()))
        ends, good_since = clock.monotonic() + config.extend, None
        while True:
            verdict = await self._look()
            self._ctx.emit("step.progress", StepKind.VERIFY, verdict=verdict.to_json())
            now = clock.monotonic()
            good_since = (now if good_since is None else good_since) if verdict.passed else None
            if good_since is not None and now - good_since >= config.steady:
                return verdict
            if now >= ends and (good_since is None or now - ends >= config.steady):
                return verdict
            await clock.sleep(max(_SOON, config.interval))

    async def _look(self) -> Verdict:
        config, now = self._config, self._clock.now()
        self.excused = False
        try:
            await self._ask_before()
            found = await self._source.now(self._ctx.host, now)
        except SourceUnavailable as error:
            return self._unknown(f"no answer: {error.what}")
        if found is None:
            return self._unknown("no data")
        if found.at < self._since:
            return self._unknown("nothing was measured since the switch")
        if config.times is not None and self._was is None:
            return self._unknown(f"{_told(found.value)}, and {self._before}")
        limit, answer = self._limit(), self._answer(found.value)
        if found.value <= limit:
            return self._verdict(VerdictStatus.PASS, answer)
        if config.most is not None and self._was is not None and self._was > config.most:
            self.excused = True
            return self._unknown(f"{answer}: it was too much before")
        return self._verdict(VerdictStatus.FAIL, answer)

    async def _ask_before(self) -> None:
        """Once, as soon as it is known."""
        if self._was is not None:
            return
        began = self._ctx.rollout.record.started
        values = await self._source.before(self._ctx.host, began - self._config.baseline, began)
        self._was = median(values) if values else None
        self._before = "" if values else "what it was before the rollout is not known"

    def _limit(self) -> float:
        config = self._config
        limits = [] if config.most is None else [config.most]
        if config.times is not None and self._was is not None:
            limits.append(max(config.times * self._was, config.floor))
        return min(limits)

    def _answer(self, value: float) -> str:
        was = "" if self._was is None else f", {_told(self._was)} before the rollout"
        return f"{_told(value)}{was}"

    def _unknown(self, answer: str) -> Verdict:
        return self._verdict(VerdictStatus.INCONCLUSIVE, answer)

    def _verdict(self, status: VerdictStatus, answer: str) -> Verdict:
        config = self._config
        wanted = [] if config.most is None else [f"at most {_told(config.most)}"]
        if config.times is not None:
            least = f" or {_told(config.floor)}" if config.floor else ""
            wanted.append(f"at most {_told(config.times)} times what it was{least}")
        return Verdict(status, config.title, config.query, answer, ", ".join(wanted))


def _told(value: float) -> str:
    return f"{value:.4g}"
