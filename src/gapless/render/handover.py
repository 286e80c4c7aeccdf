"""What ``gapless handover verify`` tells: a line for each case, the evidence of those that did not
pass, and what all of it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gapless.handover_kit.table import Case
from gapless.handover_kit.verdicts import CaseResult, Outcome
from gapless.render.layout import block, head, labelled, screen, table

_MARKS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.INCONCLUSIVE: "?"}
_SHOWN = 14
"""Lines of evidence; --json has all."""


def render_cases(cases: Sequence[Case], width: int = 0) -> str:
    """``--list``."""
    rows = [(case.name, "events" if case.events else "", case.must) for case in cases]
    return screen(table(("CASE", "NEEDS", "WHAT MUST COME OF IT"), rows, width))


def render_case(result: CaseResult, width: int) -> str:
    """One case, as soon as it is over."""
    seconds = f"{result.seconds:.1f} s"
    words = f"{result.outcome.value:<14}{result.case}"
    lines = head(_MARKS[result.outcome], words, seconds, width)
    if result.outcome is not Outcome.PASS:
        lines += labelled("why", result.why, width)
    if result.outcome is Outcome.FAIL:
        lines += _evidence(result, width)
    return screen(lines)


def _evidence(result: CaseResult, width: int) -> list[str]:
    left_out = len(result.evidence) - _SHOWN
    told = list(result.evidence[-_SHOWN:])
    if left_out > 0:
        told.insert(0, f"… {left_out} more before; --json has all")
    return block("came", [line for text in told for line in _wrapped(text, width)])


def _wrapped(text: str, width: int) -> list[str]:
    first, *rest = labelled("", text, width - 2)
    return [first.strip(), *(f"  {line.strip()}" for line in rest)]


def render_verdict(results: Sequence[CaseResult], width: int) -> str:
    """The last word."""
    count = Counter(result.outcome for result in results)
    if count[Outcome.FAIL]:
        mark, said = "✗", "The program does not speak handover/1"
    elif count[Outcome.INCONCLUSIVE]:
        mark, said = "?", "No case failed, and not all could be told"
    else:
        mark, said = "✓", "The program speaks handover/1"
    sums = ", ".join(
        f"{count[outcome]} {word}"
        for outcome, word in (
            (Outcome.PASS, "passed"),
            (Outcome.FAIL, "failed"),
            (Outcome.INCONCLUSIVE, "inconclusive"),
        )
        if count[outcome]
    )
    return screen(head(mark, f"{said}: {sums}", "", width))
