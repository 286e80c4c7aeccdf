"""What is missing for a decision is told, in data and in time."""

from __future__ import annotations

import re

import pytest

from gapless.engine.look import look_at
from gapless.judge.gate import Evidence, Finding, Rules, judge
from gapless.judge.outlook import missing
from gapless.judge.tally import Tally
from gapless.model import VerdictStatus

RULES = Rules(alpha=0.001, effect=10, least=1.0)
SHARES = Rules(alpha=0.001, effect=10, least=0.1)


def test_a_verdict_without_enough_data_does_not_read_like_a_pass() -> None:
    """Twelve incidents are fewer than the limit, and no PASS all the same."""
    evidence = Evidence(Tally(12, 60.0), before=Tally(60, 900.0))
    look = look_at(evidence, RULES, "logs", "", "since the switch")
    assert look.finding is Finding.UNKNOWN
    assert look.verdict.status is VerdictStatus.INCONCLUSIVE
    assert re.match(r"too little data, .* would (not )?decide", look.verdict.answer)
    assert look.verdict.wanted == "enough data"


@pytest.mark.parametrize("requests", [10, 20, 30])
def test_as_many_requests_more_decide(requests: int) -> None:
    now, before = Tally(0, 20.0, requests), Tally(2, 600.0, 1000)
    evidence = Evidence(now, before=before)
    assert judge(evidence, SHARES) is Finding.UNKNOWN
    told = missing(evidence, SHARES)
    found = re.fullmatch(r"about (\d+) more requests \(.*\) at this pace would decide", told)
    assert found, told
    enough = Tally(0, 600.0, requests + int(found[1]))
    assert judge(Evidence(enough, before=before), SHARES) is Finding.GOOD


def test_as_much_time_more_decides() -> None:
    now, before = Tally(0, 2.0), Tally(12, 600.0)
    assert judge(Evidence(now, before=before), RULES) is Finding.UNKNOWN
    told = missing(Evidence(now, before=before), RULES)
    found = re.fullmatch(r"about (\d+) s more at this pace would decide", told)
    assert found, told
    looks = (Tally(0, 2.0 + more / 10) for more in range(10 * int(found[1]) + 1))
    assert Finding.GOOD in [judge(Evidence(look, before=before), RULES) for look in looks]


def test_what_no_waiting_decides_is_said() -> None:
    assert missing(Evidence(Tally(0, 60.0)), RULES) == "there is nothing to compare with"
    nothing = Evidence(Tally(0, 60.0, 0), before=Tally(0, 600.0, 100))
    assert missing(nothing, SHARES) == "nothing was counted yet"
