"""The arithmetic of a judgement as a line of text: counts, what was expected, limit, messages."""

from __future__ import annotations

from gapless.judge.bayes import limit
from gapless.judge.gate import Evidence, Rules
from gapless.judge.guards import repeated
from gapless.judge.power import proven
from gapless.judge.tally import Tally

_TOP = 3
_LONG = 80
"""Characters of one message."""


def told(evidence: Evidence, rules: Rules) -> str:
    """``12 incidents in 60 s, baseline 12 in 600 s (1.2 expected), limit 12; top: …``"""
    now = evidence.now
    parts = [_now(now), _before(evidence), f"limit {_limit(evidence, rules)}"]
    line = ", ".join(part for part in parts if part)
    more = [_others(evidence), _never_seen(evidence), _top(evidence), _silent(now)]
    return "; ".join([line, *(part for part in more if part)])


def wanted(evidence: Evidence, rules: Rules) -> str:
    """What would have been right."""
    least = _limit(evidence, rules)
    fewer = f"fewer than {least}" if least.isdigit() else "enough data"
    return f"{fewer}, at most {100 * rules.ceiling:.3g} %" if rules.ceiling else fewer


def expected(window: Tally, reference: Tally) -> float:
    """Errors that the reference's rate would have made in this window."""
    return reference.rate * window.exposure


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
    parts += [f"{_plain(evidence.lent)} on untouched hosts"] if evidence.lent is not None else []
    usual = f"({expected(evidence.now, reference):.2g} expected)"
    return f"baseline {' and '.join(parts)} {usual}"


def _others(evidence: Evidence) -> str:
    others, before = evidence.others, evidence.others_before
    if others is None:
        return ""
    usual = f" ({expected(others, before):.2g} expected)" if before is not None else ""
    return f"untouched hosts {_plain(others)}{usual}"


def _limit(evidence: Evidence, rules: Rules) -> str:
    if evidence.reference is None:
        return "unknown"
    least = limit(evidence.now, evidence.reference, evidence.dispersion, rules.alpha)
    return "none yet" if least is None else str(least)


def _never_seen(evidence: Evidence) -> str:
    new = repeated(evidence.unseen)
    return f"never seen before: {_messages(new)}" if new else ""


def _top(evidence: Evidence) -> str:
    return f"top: {_messages(evidence.top)}" if evidence.top else ""


def _messages(messages: tuple[tuple[str, int], ...]) -> str:
    cut = (
        (text if len(text) <= _LONG else f"{text[:_LONG]}…", times) for text, times in messages
    )  # fmt: skip
    return ", ".join(f"{times}× {text}" for text, times in list(cut)[:_TOP])


def _silent(now: Tally) -> str:
    if now.errors or now.requests is None or not now.requests:
        return ""
    return f"no error in {now.requests} requests rules out {100 * min(1.0, proven(now)):.2g} %"
