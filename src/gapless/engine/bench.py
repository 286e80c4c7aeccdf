"""The bench of one rate: asks its source for an instance, before and now, and for the hosts that
were not touched; has what comes back judged.

1. ``begin`` keeps what can only be read before the first host is changed.
2. The baseline ends when the instance was first touched, counting begins at its switch: both by
   the journal, so a controller that goes on asks for the same. A source without a history has less
   by then, or nothing: that is too little data, never a PASS.
3. Untouched hosts are asked for the same instants and for their own baseline.
4. The hosts of a batch are judged together, too: one alone may be too quiet.
5. A source that does not answer, or has nothing, is INCONCLUSIVE.
6. A new copy that had shares of the traffic was judged beside the old one (beside_bench.py). What
   it showed there is known, and its PASS stands unless it is worse now (shown.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from gapless.config.judging import JudgeConfig
from gapless.drivers.checks.rates import Count, RateSource
from gapless.engine.context import InstanceContext
from gapless.engine.copies import old_of
from gapless.engine.look import Look, look_at, unknown
from gapless.engine.shown import named, shown_of
from gapless.engine.watched import Watched, tally_of, together
from gapless.engine.windows import untouched, window_of
from gapless.errors import FenceRefused, GaplessError
from gapless.judge.dispersion import BUCKET
from gapless.judge.gate import Evidence, Finding, Rules
from gapless.judge.tally import Tally
from gapless.plans import Batch, ServicePlan, StepKind

AT_ONCE = 8
"""Questions put to one source at the same time."""
MOST_BUCKETS = 60
NO_HISTORY = "what came before this controller is not known"


class Bench:
    """One rate of one service, for all of its instances; ``rates`` there are of the service."""

    def __init__(self, config: JudgeConfig, source: RateSource, rates: int) -> None:
        self.config = config
        self.source = source
        self._rates = rates
        self._began = 0.0
        self._watched: dict[str, Watched] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def begin(self, hosts: Sequence[str], now: float) -> None:
        """Before the first of the hosts is changed. What does not answer now has no baseline to
        give later, and says so then."""
        self._began = now
        try:
            await self.source.begin(hosts)
        except FenceRefused:
            raise
        except GaplessError:
            return

    async def look(self, ctx: InstanceContext) -> Look:
        """Ask for everything since the switch, or since it has all of the traffic; judge it."""
        return await self.look_with(ctx, self._watched_of(ctx))

    async def look_with(self, ctx: InstanceContext, watched: Watched) -> Look:
        """The same, by what is known of another window."""
        try:
            answered = await self._ask(ctx, watched)
        except FenceRefused:
            raise
        except GaplessError as error:
            where = f" ({error.evidence})" if error.evidence else ""
            return unknown(
                self.source.name, f"no answer: {error.what}{where}", watched.window.begins
            )
        if not answered:
            begins = watched.window.begins
            return unknown(self.source.name, f"no data {begins}", begins)
        return self._judged(ctx, watched)

    def _watched_of(self, ctx: InstanceContext) -> Watched:
        """What is known of an instance; of earlier batches nothing is kept."""
        if ctx.host not in self._watched:
            batch = batch_of(ctx)
            kept = {host: one for host, one in self._watched.items() if host in batch.hosts}
            clock = ctx.rollout.clock
            watched = Watched(window_of(ctx), clock.now() - clock.monotonic())
            shown = shown_of(ctx, self.source.name)
            if shown is not None:
                watched.comes_after(shown, named(old_of(ctx).instance))
            self._watched = {**kept, ctx.host: watched}
        return self._watched[ctx.host]

    # -- asking ----------------------------------------------------------------------------------

    async def _ask(self, ctx: InstanceContext, watched: Watched) -> bool:
        """Whether there is anything to judge."""
        since = watched.window.since + self.config.grace
        until = watched.ahead + ctx.rollout.clock.monotonic()
        if until <= since:
            return False
        others = untouched(ctx) if self.config.controls else ()
        await self.ask_before(ctx.host, watched, others)
        found = await self.counts((ctx.host, *others), since, until)
        mine = found.pop(ctx.host, None)
        if mine is None:
            return False
        alike = mine.total is None
        watched.take(
            mine, {host: one for host, one in found.items() if (one.total is None) == alike}
        )
        return True

    async def counts(self, hosts: Sequence[str], since: float, until: float) -> dict[str, Count]:
        """Of each host that has any."""
        answers = await asyncio.gather(*(self._count(host, since, until) for host in hosts))
        return {h: one for h, one in zip(hosts, answers, strict=True) if one is not None}

    async def ask_before(self, host: str, watched: Watched, others: Sequence[str]) -> None:
        """Baselines, each once; a source that has none is asked again at the next look."""
        if not watched.window.baseline:
            return
        touched = watched.window.touched
        begin = touched - self.config.baseline
        if watched.before is None and (count := await self._count(host, begin, touched)):
            watched.buckets = await self._buckets(host, count, touched)
            watched.before = tally_of(count)
        new = [other for other in others if other not in watched.others_before]
        counts = await asyncio.gather(*(self._count(other, begin, touched) for other in new))
        for other, found in zip(new, counts, strict=True):
            if found is not None:
                watched.others_before[other] = tally_of(found)

    async def _buckets(self, host: str, count: Count, until: float) -> tuple[Tally, ...]:
        """The baseline in pieces; one without errors tells nothing of how they come."""
        if not count.errors or count.seconds < 2 * BUCKET:
            return ()
        number = min(MOST_BUCKETS, int(count.seconds / BUCKET))
        width = count.seconds / number
        first = until - min(count.seconds, self.config.baseline)
        edges = [first, *(until - width * left for left in range(number - 1, -1, -1))]
        pieces = await asyncio.gather(
            *(self._count(host, begin, end) for begin, end in pairwise(edges))
        )
        return tuple(tally_of(piece) for piece in pieces if piece is not None)

    async def _count(self, host: str, since: float, until: float) -> Count | None:
        async with self._gate:
            return await self.source.count(host, since, until)

    # -- judging ---------------------------------------------------------------------------------

    def _judged(self, ctx: InstanceContext, watched: Watched) -> Look:
        batch = batch_of(ctx)
        alone = watched.evidence(self.config.baseline)
        rules = self.rules(ctx.service, batch, alone)
        begins = watched.window.begins
        look = look_at(alone, rules, self.source.name, "", begins)
        if look.finding is Finding.GOOD and self._began_later(watched):
            return unknown(self.source.name, f"{NO_HISTORY}; {look.verdict.answer}", begins)
        if look.finding is not Finding.UNKNOWN:
            return look
        if watched.shown is not None and watched.shown.well:
            return watched.shown.look
        members = [self._watched[host] for host in batch.hosts if host in self._watched]
        known = [one.evidence(self.config.baseline) for one in members if one.now is not None]
        pooled = together(known, alone)
        if pooled is None:
            return look
        whose = f" of {', '.join(batch.hosts)} together"
        joined = look_at(pooled, rules, self.source.name, whose, begins)
        return joined if joined.finding is not Finding.UNKNOWN else look

    def _began_later(self, watched: Watched) -> bool:
        """Whether this controller came after the switch, and the source kept nothing of before:
        then it does not know the first errors either. Those of shares are in the journal."""
        window, shown = watched.window, watched.shown
        counted = shown is not None and shown.counted is not None
        known = watched.before is not None or counted
        return window.baseline and not known and window.since < self._began

    def rules(self, service: ServicePlan, batch: Batch, evidence: Evidence) -> Rules:
        """What is too much for an instance of a batch."""
        counts_alone = evidence.now.requests is None
        return Rules(
            alpha=self.config.alpha / (self._rates * checks(service, batch)),
            effect=self.config.effect,
            least=self.config.least_rate / 60 if counts_alone else self.config.least_share,
            ceiling=self.config.ceiling,
        )


def batch_of(ctx: InstanceContext) -> Batch:
    """The batch that an instance is replaced in."""
    return next(batch for batch in ctx.service.batches if ctx.host in batch.hosts)


def checks(service: ServicePlan, batch: Batch) -> int:
    """Among how many checks of one rate alpha is shared out. The canaries have one half of it,
    because they are to find what there is to find; all others the other."""
    canaries = [b for b in service.batches if b.name.startswith("canary")]
    rest = [b for b in service.batches if b not in canaries]
    alike = canaries if batch in canaries else rest
    number = sum(len(b.hosts) + (len(b.hosts) > 1) for b in alike)
    if batch in canaries and StepKind.SHIFT in service.steps:
        number *= 2  # each is judged while it has shares, and once more when it has all
    return number * (2 if canaries and rest else 1)
