"""One look at a rate: what it came to, and the verdict that tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.judge.arithmetic import told, wanted
from gapless.judge.gate import Evidence, Finding, Rules, judge
from gapless.judge.outlook import missing
from gapless.model import Verdict, VerdictStatus


@dataclass(frozen=True, slots=True)
class Look:
    """``finding`` decides what happens, ``verdict`` is what a person reads."""

    finding: Finding
    verdict: Verdict


def look_at(evidence: Evidence, rules: Rules, source: str, whose: str, since: str) -> Look:
    """Have the evidence judged; ``whose`` names the instances where they are several, ``since``
    when counting began, in words."""
    finding = judge(evidence, rules)
    status = _STATUS.get(finding, VerdictStatus.INCONCLUSIVE)
    asked = f"{source}{whose} {since}"
    if finding is Finding.UNKNOWN:  # however far below the limit: no PASS
        answer = f"too little data, {missing(evidence, rules)}: {told(evidence, rules)}"
        return Look(finding, Verdict(status, source, asked, answer, ENOUGH))
    answer = _WORDS.get(finding, "") + told(evidence, rules)
    return Look(finding, Verdict(status, source, asked, answer, wanted(evidence, rules)))


def unknown(source: str, why: str, since: str) -> Look:
    """Nobody can tell, which is never a PASS."""
    asked = f"{source} {since}"
    verdict = Verdict(VerdictStatus.INCONCLUSIVE, source, asked, why, ENOUGH)
    return Look(Finding.UNKNOWN, verdict)


ENOUGH = "enough data"
"""What is wanted where nobody can tell."""
_STATUS = {Finding.GOOD: VerdictStatus.PASS, Finding.WORSE: VerdictStatus.FAIL}
_WORDS = {
    Finding.SUSPECT: "more than before, and perhaps on untouched hosts, too: ",
    Finding.ENVIRONMENT: "more than before, and so on untouched hosts: ",
}
