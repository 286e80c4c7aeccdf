"""The e-process: does the new instance err more than the untouched ones at the same instants?

1. Given that an error happened, under "no worse" it falls on the new instance with its share w of
   the exposure. Under a risk ratio r it does with p = wr / (wr + 1 - w).
2. Each tick multiplies the wealth of a ratio by (p/w) for each error of the new instance and by
   (1-p)/(1-w) for each error of the others. E is the mean over RATIOS.
3. E is at least 1/alpha with a chance of alpha at most, however often one looks (Ville), and
   whatever traffic and shared errors do meanwhile: each tick is judged by its own share.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from gapless.judge.bayes import log_mean
from gapless.judge.tally import Tally

RATIOS = (2.0, 5.0, 20.0)


@dataclass(frozen=True, slots=True)
class Contest:
    """The wealth so far, one logarithm a ratio."""

    wealth: tuple[float, ...] = (0.0,) * len(RATIOS)

    def after(
        self, new: Tally, others: Tally, dispersion: float = 1.0, habit: float = 1.0
    ) -> Contest:
        """One more tick. ``habit``: how many times the errors of the others this host used to
        have, for the same exposure."""
        mine, theirs = new.exposure * habit, others.exposure
        if mine <= 0 or theirs <= 0 or not new.errors + others.errors:
            return self
        share = mine / (mine + theirs)
        return Contest(
            tuple(
                wealth + _gain(share, ratio, new.errors, others.errors) / dispersion
                for wealth, ratio in zip(self.wealth, RATIOS, strict=True)
            )
        )

    @property
    def log_e(self) -> float:
        """Logarithm of E."""
        return log_mean(list(self.wealth))


def _gain(share: float, ratio: float, mine: int, theirs: int) -> float:
    falls = share * ratio / (share * ratio + 1 - share)
    return mine * log(falls / share) + theirs * log((1 - falls) / (1 - share))


def habit(mine: Tally | None, theirs: Tally | None) -> float:
    """How many times the errors of the others this host had before; 1 where nobody knows. One
    error more on each side keeps it moderate where there were few."""
    if mine is None or theirs is None or mine.exposure <= 0 or theirs.exposure <= 0:
        return 1.0
    common = (mine.errors + theirs.errors + 1) / (mine.exposure + theirs.exposure)
    return _usual(mine, common) / _usual(theirs, common)


def _usual(tally: Tally, common: float) -> float:
    return (tally.errors + 1) / (tally.exposure + 1 / common)
