"""Seeded streams of errors, and the gate looked at every five seconds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from gapless.judge.contest import Contest, habit
from gapless.judge.dispersion import dispersion
from gapless.judge.gate import Evidence, Finding, Rules, judge
from gapless.judge.tally import Tally, total

EVERY = 5.0


@dataclass(frozen=True)
class Stream:
    """``rate`` errors a second, or with ``requests`` a second the share of those; ``burst``: they
    come so many at a time on average."""

    rate: float
    requests: float | None = None
    burst: int = 1

    def draw(self, chance: random.Random, seconds: float, times: float = 1.0) -> Tally:
        """What is counted in a window when the rate is ``times`` what it usually is."""
        if self.requests is None:
            bursts = poisson(chance, self.rate * times * seconds / self.burst)
            return Tally(sum(self._burst(chance) for _ in range(bursts)), seconds)
        asked = poisson(chance, self.requests * seconds)
        share = self.rate * times / self.burst
        bad = sum(self._burst(chance) for _ in range(asked) if chance.random() < share)
        return Tally(min(bad, asked), seconds, asked)

    def _burst(self, chance: random.Random) -> int:
        size = 1
        while size < 1000 and chance.random() > 1 / self.burst:
            size += 1
        return size


def poisson(chance: random.Random, mean: float) -> int:
    """A number of events of which ``mean`` are expected."""
    number = 0
    while mean > 30:  # the sum of Poisson numbers is one
        number += poisson(chance, 30)
        mean -= 30
    least, product = exp(-mean), chance.random()
    while product > least:
        product *= chance.random()
        number += 1
    return number


def findings(
    stream: Stream,
    chance: random.Random,
    *,
    times: float = 1.0,
    others: float = 1.0,
    hosts: int = 0,
    seconds: float = 60.0,
    alpha: float = 0.001,
) -> Iterator[tuple[float, Finding]]:
    """Look by look: 600 s of baseline, then ``times`` as many errors, on ``hosts`` untouched hosts
    ``others`` times as many."""
    buckets = [stream.draw(chance, 10.0) for _ in range(60)]
    before, ticks, contest = total(buckets), [], Contest()
    theirs_before = total([stream.draw(chance, 600.0) for _ in range(hosts)])
    usual, theirs = habit(before, theirs_before), None
    for look in range(1, int(seconds / EVERY) + 1):
        ticks.append(stream.draw(chance, EVERY, times))
        spread = dispersion(ticks[0], buckets, ticks)
        if hosts:
            tick = total([stream.draw(chance, EVERY, others) for _ in range(hosts)])
            assert tick is not None
            theirs = tick if theirs is None else theirs + tick
            contest = contest.after(ticks[-1], tick, spread, usual)
        now = total(ticks)
        assert now is not None
        evidence = Evidence(now, before, None, theirs, theirs_before, spread, contest.log_e)
        rules = Rules(alpha, effect=10, least=1.0 if stream.requests is None else 0.1)
        yield look * EVERY, judge(evidence, rules)


def found_at(stream: Stream, chance: random.Random, **how: float) -> float | None:
    """Seconds until the first FAIL; None when there is none."""
    looks = findings(stream, chance, **how)  # type: ignore[arg-type]
    return next((at for at, finding in looks if finding is Finding.WORSE), None)
