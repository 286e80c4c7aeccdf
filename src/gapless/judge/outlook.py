"""How much more data would decide what cannot be decided yet, should all go on as it does.

The window is made longer, its errors and requests in the same measure, until the gate comes to a
finding. What is told is an order of size, not a promise: errors come as they like.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, log10

from gapless.judge.gate import Evidence, Finding, Rules, judge
from gapless.judge.tally import Tally

_STEP = 1.25
_STEPS = 24
"""Up to some two hundred times the window: beyond that nobody waits."""


def missing(evidence: Evidence, rules: Rules) -> str:
    """In words: ``about 40 s more at this pace would decide``."""
    now = evidence.now
    if evidence.reference is None:
        return "there is nothing to compare with"
    if now.exposure <= 0:
        return "nothing was counted yet"
    more = _more(evidence, rules)
    if more is None:
        return "more of the same would not decide it soon"
    if now.requests is None:
        return f"about {_time(more)} more at this pace would decide"
    time = f" ({_time(more * now.seconds / now.exposure)})" if now.seconds else ""
    return f"about {_rounded(more)} more requests{time} at this pace would decide"


def _more(evidence: Evidence, rules: Rules) -> float | None:
    """Seconds or requests."""
    decides = None
    for times in (_STEP**number for number in range(_STEPS, 0, -1)):
        if not _decided(evidence, rules, times):
            break
        decides = times
    return None if decides is None else (decides - 1) * evidence.now.exposure


def _decided(evidence: Evidence, rules: Rules, times: float) -> bool:
    """Numbers of errors are whole, so a window may decide what one a little longer does not."""
    longer = replace(evidence, now=_longer(evidence.now, times))
    return judge(longer, rules) is not Finding.UNKNOWN


def _longer(now: Tally, times: float) -> Tally:
    requests = None if now.requests is None else round(now.requests * times)
    return Tally(round(now.errors * times), now.seconds * times, requests)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, _rounded(seconds))} s"
    return f"{ceil(seconds / 60)} min" if seconds < 7200 else f"{ceil(seconds / 3600)} h"


def _rounded(value: float) -> int:
    """Up, to two digits: more would say more than is known."""
    unit = int(10 ** max(0, floor(log10(max(value, 1.0))) - 1))
    return ceil(value / unit) * unit
