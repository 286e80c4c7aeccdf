"""The bench of one rate: asks its source for an instance, before and now, and for the hosts that
were not touched; has what comes back judged.

1. ``begin`` keeps what can only be read before the first host is changed.
2. The baseline ends when the instance was first touched, counting begins at its switch: both by
   the journal, so a controller that goes on asks for the same. A source without a history has less
   by then, or nothing: that is too little data, never a PASS.
3. Untouched hosts are asked for the same instants and for their own baseline.
4. The hosts of a batch are judged together, too: one alone may be too quiet.
5. A source that does not answer, or has nothing, is INCONCLUSIVE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gapless.config.judging import JudgeConfig
from gapless.drivers.checks.rates import Count, RateSource
from gapless.engine.context import InstanceContext
from gapless.engine.watched import Watched, tally_of, together
from gapless.engine.windows import untouched, window_of
from gapless.errors import FenceRefused, GaplessError
from gapless.judge.arithmetic import told, wanted
from gapless.judge.dispersion import BUCKET
from gapless.judge.gate import Evidence, Finding, Rules, judge
from gapless.judge.tally import Tally
from gapless.model import Verdict, VerdictStatus
from gapless.plans import Batch, ServicePlan

AT_ONCE = 8
"""Questions put to one source at the same time."""
MOST_BUCKETS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to."""

    finding: Finding
    verdict: Verdict


class Bench:
    """One rate of one service, for all of its instances; ``rates`` there are of the service."""

    def __init__(self, config: JudgeConfig, source: RateSource, rates: int) -> None:
        self.config = config
        self.source = source
        self._rates = rates
        self._watched: dict[str, Watched] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def begin(self, hosts: Sequence[str]) -> None:
        """Before the first of the hosts is changed. What does not answer now has no baseline to
        give later, and says so then."""
        try:
            await self.source.begin(hosts)
        except FenceRefused:
            raise
        except GaplessError:
            return

    async def look(self, ctx: InstanceContext) -> Look:
        """Ask for everything since the switch, and judge it."""
        if ctx.host not in self._watched:
            self._watched[ctx.host] = Watched(window_of(ctx))
        watched = self._watched[ctx.host]
        try:
            answered = await self._ask(ctx, watched)
        except FenceRefused:
            raise
        except GaplessError as error:
            where = f" ({error.evidence})" if error.evidence else ""
            return self._unknown(f"no answer: {error.what}{where}")
        if not answered:
            return self._unknown("no data since the switch")
        return self._judged(ctx, watched)

    # -- asking ----------------------------------------------------------------------------------

    async def _ask(self, ctx: InstanceContext, watched: Watched) -> bool:
        """Whether there is anything to judge."""
        since = watched.window.since + self.config.grace
        until = ctx.rollout.clock.now()
        if until <= since:
            return False
        others = untouched(ctx) if self.config.controls else ()
        await self._ask_before(ctx.host, watched, others)
        answers = await asyncio.gather(
            *(self._count(host, since, until) for host in (ctx.host, *others))
        )
        if answers[0] is None:
            return False
        alike = answers[0].total is None
        watched.take(
            answers[0],
            {
                host: count
                for host, count in zip(others, answers[1:], strict=True)
                if count is not None and (count.total is None) == alike
            },
        )
        return True

    async def _ask_before(self, host: str, watched: Watched, others: Sequence[str]) -> None:
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
        edges = [until - width * left for left in range(number, -1, -1)]
        pieces = await asyncio.gather(
            *(self._count(host, begin, end) for begin, end in pairwise(edges))
        )
        return tuple(tally_of(piece) for piece in pieces if piece is not None)

    async def _count(self, host: str, since: float, until: float) -> Count | None:
        async with self._gate:
            return await self.source.count(host, since, until)

    # -- judging ---------------------------------------------------------------------------------

    def _judged(self, ctx: InstanceContext, watched: Watched) -> Look:
        batch = next(batch for batch in ctx.service.batches if ctx.host in batch.hosts)
        alone = watched.evidence()
        rules = self._rules(ctx.service, batch, alone)
        look = self._look(alone, rules, "")
        if look.finding is not Finding.UNKNOWN:
            return look
        members = [self._watched[host] for host in batch.hosts if host in self._watched]
        pooled = together(members, alone)
        if pooled is None:
            return look
        joined = self._look(pooled, rules, f" of {', '.join(batch.hosts)} together")
        return joined if joined.finding is not Finding.UNKNOWN else look

    def _look(self, evidence: Evidence, rules: Rules, whose: str) -> Look:
        finding = judge(evidence, rules)
        verdict = Verdict(
            _STATUS.get(finding, VerdictStatus.INCONCLUSIVE),
            self.source.name,
            f"{self.source.name}{whose} since the switch",
            _WORDS[finding] + told(evidence, rules),
            wanted(evidence, rules),
        )
        return Look(finding, verdict)

    def _rules(self, service: ServicePlan, batch: Batch, evidence: Evidence) -> Rules:
        counts_alone = evidence.now.requests is None
        return Rules(
            alpha=self.config.alpha / (self._rates * checks(service, batch)),
            effect=self.config.effect,
            least=self.config.least_rate / 60 if counts_alone else self.config.least_share,
            ceiling=self.config.ceiling,
        )

    def _unknown(self, why: str) -> Look:
        verdict = Verdict(
            VerdictStatus.INCONCLUSIVE,
            self.source.name,
            f"{self.source.name} since the switch",
            why,
            "enough data",
        )
        return Look(Finding.UNKNOWN, verdict)


_STATUS = {Finding.GOOD: VerdictStatus.PASS, Finding.WORSE: VerdictStatus.FAIL}
_WORDS = {
    Finding.GOOD: "",
    Finding.WORSE: "",
    Finding.SUSPECT: "more than before, and perhaps on untouched hosts, too: ",
    Finding.ENVIRONMENT: "more than before, and so on untouched hosts: ",
    Finding.UNKNOWN: "too little data: ",
}


def checks(service: ServicePlan, batch: Batch) -> int:
    """Among how many checks of one rate alpha is shared out. The canaries have one half of it,
    because they are to find what there is to find; all others the other."""
    canaries = [b for b in service.batches if b.name.startswith("canary")]
    rest = [b for b in service.batches if b not in canaries]
    alike = canaries if batch in canaries else rest
    number = sum(len(b.hosts) + (len(b.hosts) > 1) for b in alike)
    return number * (2 if canaries and rest else 1)
