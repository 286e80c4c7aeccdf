"""The arithmetic of a judgement as a line of text: what decided, where that is not the limit;
counts, what was expected, limit, messages."""

from __future__ import annotations

from gapless.judge.bayes import limit
from gapless.judge.gate import Evidence, Ground, Rules, ground_of
from gapless.judge.guards import HALF, NEVER_SEEN, repeated
from gapless.judge.power import proven
from gapless.judge.tally import Tally

_TOP = 3
_LONG = 80
"""Characters of one message."""


def told(evidence: Evidence, rules: Rules) -> str:
    """``12 incidents in 60 s, baseline 12 in 600 s (1.2 expected), limit 12; top: …``, behind what
    decided when another ground than the limit did."""
    now = evidence.now
    parts = [_now(now), _before(evidence), f"limit {_limit(evidence, rules)}"]
    line = ", ".join(part for part in parts if part)
    why = _decided(evidence, rules)
    more = [_others(evidence), _never_seen(evidence, rules), _top(evidence), _silent(now)]
    return "; ".join(part for part in (why, line, *more) if part)


def wanted(evidence: Evidence, rules: Rules) -> str:
    """What would have been right: of a guard that decided its own measure, else the limit."""
    match ground_of(evidence, rules):
        case Ground.NEVER_SEEN:
            return f"fewer than {NEVER_SEEN}"
        case Ground.HALF:
            return f"fewer than {100 * HALF:.3g} % failed"
        case Ground.CEILING:
            return f"at most {_ceiling(rules)}"
        case Ground.CONTEST:
            return f"no more than on {evidence.others_are}"
    least = _limit(evidence, rules)
    fewer = f"fewer than {least}" if least.isdigit() else "enough data"
    return f"{fewer}, at most {_ceiling(rules)}" if rules.ceiling else fewer


def expected(window: Tally, reference: Tally) -> float:
    """Errors that the reference's rate would have made in this window."""
    return reference.rate * window.exposure


def _decided(evidence: Evidence, rules: Rules) -> str:
    """What speaks for itself below the limit."""
    match ground_of(evidence, rules):
        case Ground.NEVER_SEEN:
            message, times = max(repeated(evidence.unseen), key=lambda one: one[1])
            return f"a message never seen before, {times} times: '{_cut(message)}'"
        case Ground.HALF:
            return "half of the requests or more failed"
        case Ground.CEILING:
            return f"above the ceiling of {_ceiling(rules)}"
        case Ground.CONTEST:
            return f"more than on {evidence.others_are} at the same time"
    return ""


def _ceiling(rules: Rules) -> str:
    return f"{100 * (rules.ceiling or 0.0):.3g} %"


def _now(now: Tally) -> str:
    if now.requests is None:
        return f"{now.errors} incident{'s' if now.errors != 1 else ''} in {now.seconds:.0f} s"
    return f"{now.errors} of {now.requests} requests failed in {now.seconds:.0f} s{_share(now)}"


def _share(tally: Tally) -> str:
    return f" ({100 * tally.rate:.2g} %)" if tally.errors else ""


def _plain(tally: Tally) -> str:
    if tally.requests is None:
        return f"{tally.errors} in {tally.seconds:.0f} s"
    return f"{tally.errors} of {tally.requests}"


def _before(evidence: Evidence) -> str:
    reference = evidence.reference
    if reference is None:
        return "baseline unknown"
    parts = [_plain(evidence.before)] if evidence.before is not None else []
    parts += (
        [f"{_plain(evidence.lent)} on {evidence.others_are}"] if evidence.lent is not None else []
    )
    usual = f"({expected(evidence.now, reference):.2g} expected)"
    return f"baseline {' and '.join(parts)} {usual}"


def _others(evidence: Evidence) -> str:
    others, before = evidence.others, evidence.others_before
    if others is None:
        return ""
    usual = f" ({expected(others, before):.2g} expected)" if before is not None else ""
    return f"{evidence.others_are} {_plain(others)}{usual}"


def _limit(evidence: Evidence, rules: Rules) -> str:
    if evidence.reference is None:
        return "unknown"
    least = limit(evidence.now, evidence.reference, evidence.dispersion, rules.alpha)
    return "none yet" if least is None else str(least)


def _never_seen(evidence: Evidence, rules: Rules) -> str:
    """All of them, unless the only one is what decided."""
    new = repeated(evidence.unseen)
    if len(new) == 1 and ground_of(evidence, rules) is Ground.NEVER_SEEN:
        return ""
    return f"never seen before: {_messages(new)}" if new else ""


def _top(evidence: Evidence) -> str:
    return f"top: {_messages(evidence.top)}" if evidence.top else ""


def _messages(messages: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{times}× {_cut(text)}" for text, times in messages[:_TOP])


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _silent(now: Tally) -> str:
    if now.errors or now.requests is None or not now.requests:
        return ""
    return f"no error in {now.requests} requests rules out {100 * min(1.0, proven(now)):.2g} %"
