"""One rate of one instance (or of a batch together), judged:

1. The reference is the same host before. What is missing of its baseline, because the source has
   no older data, the untouched hosts lend.
2. Worse is: a rise over the reference (rate gate), more than the untouched hosts at the same
   instants (e-process, where before supports it), above the ceiling, half of the requests, or a
   message never seen before that repeats.
3. Who is to blame? Where the untouched hosts rose as well, and this one is not clearly worse than
   they are, it is the environment. Where they seem to rise and nothing is clear, it is suspect:
   the next look decides.
4. Good is: nothing speaks for a rise, and the effect that matters would have been noticed.
5. All else is too little data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import log

from gapless.judge.bayes import LEAST, log_factor, risen
from gapless.judge.guards import above, half_fails, repeated
from gapless.judge.power import enough
from gapless.judge.tally import Tally, total

RISES_TOO = 0.05
"""Alpha of "the untouched hosts rise as well": it takes less to doubt the blame than to blame."""


class Finding(Enum):
    """What a look came to."""

    GOOD = "good"
    WORSE = "worse"
    SUSPECT = "suspect"
    """Worse than before; whether the untouched hosts are as well cannot be told yet."""
    ENVIRONMENT = "environment"
    """Worse than before, and the untouched hosts are as well."""
    UNKNOWN = "unknown"


class Ground(Enum):
    """What a rate was found to be worse by."""

    NEVER_SEEN = "a message never seen before repeats"
    HALF = "half of the requests"
    CEILING = "above the ceiling"
    RISE = "a rise over the reference"
    CONTEST = "more than the untouched hosts"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one rate. ``lent``: by the untouched hosts, for what is missing
    of the baseline. ``contest``: logarithm of the e-process against the untouched hosts.
    ``unseen``: messages never seen before on the judged hosts, ``elsewhere`` on the untouched
    ones."""

    now: Tally
    before: Tally | None = None
    lent: Tally | None = None
    others: Tally | None = None
    others_before: Tally | None = None
    dispersion: float = 1.0
    contest: float = 0.0
    top: tuple[tuple[str, int], ...] = ()
    unseen: tuple[tuple[str, int], ...] = ()
    elsewhere: tuple[tuple[str, int], ...] = ()
    others_are: str = "untouched hosts"
    """Who the others are, in words."""

    @property
    def reference(self) -> Tally | None:
        """What this window is compared with."""
        known = (self.before, self.lent)
        return total([tally for tally in known if tally is not None and tally.exposure > 0])


@dataclass(frozen=True, slots=True)
class Rules:
    """``least``: errors per second or request that a PASS need not rule out; ``effect`` how many
    times the reference matter."""

    alpha: float
    effect: float
    least: float
    ceiling: float | None = None


def judge(evidence: Evidence, rules: Rules) -> Finding:
    """What one look came to."""
    if ground_of(evidence, rules) is not None:
        return _blame(evidence, rules)
    if _good(evidence, rules):
        return Finding.GOOD
    return Finding.UNKNOWN


def ground_of(evidence: Evidence, rules: Rules) -> Ground | None:
    """What makes it worse; None when nothing does. A rise names itself before the guards do, which
    need less."""
    now, spread, reference = evidence.now, evidence.dispersion, evidence.reference
    if reference is not None and risen(now, reference, spread, rules.alpha):
        return Ground.RISE
    if repeated(evidence.unseen):
        return Ground.NEVER_SEEN
    if half_fails(now, reference):
        return Ground.HALF
    if rules.ceiling is not None and above(now, rules.ceiling, spread, rules.alpha):
        return Ground.CEILING
    if reference is None or now.errors < LEAST or evidence.contest <= -log(rules.alpha):
        return None
    return Ground.CONTEST if log_factor(now, reference, spread) > -log(RISES_TOO) else None


def _blame(evidence: Evidence, rules: Rules) -> Finding:
    others, before = evidence.others, evidence.others_before
    known = {message for message, _ in evidence.elsewhere}
    new = [message for message, _ in repeated(evidence.unseen)]
    if new and all(message in known for message in new):
        return Finding.ENVIRONMENT
    if new or others is None or evidence.contest > -log(rules.alpha):
        return Finding.WORSE
    rise = log_factor(others, before, evidence.dispersion) if before is not None else 0.0
    too = others.errors >= LEAST and rise > -log(RISES_TOO)
    if too or half_fails(others, before):
        return Finding.ENVIRONMENT
    if rise <= 0 or evidence.contest > -log(RISES_TOO):
        return Finding.WORSE
    return Finding.SUSPECT


def _good(evidence: Evidence, rules: Rules) -> bool:
    now, spread, reference = evidence.now, evidence.dispersion, evidence.reference
    if reference is None:
        return False
    if log_factor(now, reference, spread) > 0:
        return False
    return enough(now, reference, spread, rules.alpha, matters(reference, rules))


def matters(reference: Tally, rules: Rules) -> float:
    """Errors per second or request that a PASS says would have been noticed."""
    return max(rules.effect * reference.rate, rules.least)
