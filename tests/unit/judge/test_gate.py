"""What a look comes to, case by case."""

from __future__ import annotations

import pytest

from gapless.judge.arithmetic import told, wanted
from gapless.judge.bayes import limit, log_factor, risen
from gapless.judge.contest import Contest, habit
from gapless.judge.dispersion import INCIDENTS, REQUESTS, dispersion
from gapless.judge.gate import Evidence, Finding, Rules, judge, matters
from gapless.judge.power import at_least, enough, proven
from gapless.judge.tally import Tally, lend, total

RULES = Rules(alpha=0.001, effect=10, least=1.0)
SHARES = Rules(alpha=0.001, effect=10, least=0.1)
QUIET = Tally(12, 600.0)


# -- tallies -----------------------------------------------------------------------------------


def test_tallies_add_up_and_part_again() -> None:
    assert Tally(1, 10.0, 5) + Tally(2, 20.0, 6) == Tally(3, 30.0, 11)
    assert Tally(3, 30.0, 11).since(Tally(1, 10.0, 5)) == Tally(2, 20.0, 6)
    assert Tally(1, 5.0).since(Tally(3, 4.0)) == Tally(0, 1.0), "a count that fell is nothing new"
    assert total([]) is None


# -- the rate gate -----------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "least"), [(0, 5), (12, 12), (60, 27), (120, 41), (1200, 244)])
def test_limits_of_a_minute(before: int, least: int) -> None:
    """For a baseline of ten minutes and errors by chance."""
    assert limit(Tally(0, 60.0), Tally(before, 600.0), 1.0, 0.001) == least


def test_the_limit_is_the_first_number_that_is_a_rise() -> None:
    for window, before, spread in (
        (Tally(0, 60.0), QUIET, 2.0),
        (Tally(0, 5.0), Tally(0, 600.0), 1.0),
        (Tally(0, 60.0, 60), Tally(3, 600.0, 600), 1.3),
    ):
        least = limit(window, before, spread, 0.001)
        assert least is not None
        assert risen(Tally(least, window.seconds, window.requests), before, spread, 0.001)
        assert not risen(Tally(least - 1, window.seconds, window.requests), before, spread, 0.001)


def test_two_errors_are_never_a_rise() -> None:
    assert not risen(Tally(2, 0.1), Tally(0, 86_400.0), 1.0, 0.1)


def test_too_few_requests_have_no_limit() -> None:
    assert limit(Tally(0, 1.0, 2), Tally(0, 600.0, 600), 1.0, 0.001) is None


def test_nothing_to_compare_says_nothing() -> None:
    assert log_factor(Tally(5, 0.0), QUIET, 1.0) == 0
    assert log_factor(Tally(5, 60.0), Tally(), 1.0) == 0


def test_fewer_errors_than_before_speak_against_a_rise() -> None:
    assert log_factor(Tally(0, 60.0), Tally(120, 600.0), 1.0) < -5


# -- dispersion --------------------------------------------------------------------------------


def test_without_errors_the_prior_holds() -> None:
    assert dispersion(Tally(), [Tally(0, 10.0)] * 60) == INCIDENTS
    assert dispersion(Tally(0, 1.0, 1), []) == REQUESTS


def test_bursts_are_seen_in_the_baseline_and_in_the_window() -> None:
    even = [Tally(2, 10.0)] * 60
    burst = [Tally(0, 10.0)] * 11 + [Tally(24, 10.0)]
    assert dispersion(Tally(), even) < 1.5
    assert dispersion(Tally(), burst * 5) > 15
    assert dispersion(Tally(), even, burst) > dispersion(Tally(), even) + 1


# -- the e-process -----------------------------------------------------------------------------


def test_errors_shared_by_all_leave_the_wealth_where_it_is() -> None:
    contest = Contest()
    for _ in range(60):
        contest = contest.after(Tally(5, 5.0, 50), Tally(45, 45.0, 450))
    assert contest.log_e < 0


def test_errors_of_one_alone_make_it_rich() -> None:
    contest = Contest()
    for _ in range(5):
        contest = contest.after(Tally(1, 5.0, 5), Tally(0, 45.0, 45))
    assert contest.log_e > 6.9, "five errors where one tenth is the share"


def test_errors_in_bursts_are_worth_less() -> None:
    plain = Contest().after(Tally(6, 5.0, 5), Tally(0, 45.0, 45))
    bursts = Contest().after(Tally(6, 5.0, 5), Tally(0, 45.0, 45), dispersion=4.0)
    assert bursts.log_e < plain.log_e / 3


def test_a_host_that_always_erred_more_is_expected_to() -> None:
    usual = habit(Tally(100, 600.0), Tally(10, 600.0))
    assert 8 < usual < 10
    noisy = Contest().after(Tally(10, 60.0), Tally(1, 60.0), habit=usual)
    assert noisy.log_e < 1 < Contest().after(Tally(10, 60.0), Tally(1, 60.0)).log_e
    assert habit(None, QUIET) == 1


# -- findings ----------------------------------------------------------------------------------


def test_worse_than_before() -> None:
    assert judge(Evidence(Tally(40, 60.0), QUIET), RULES) is Finding.WORSE


def test_too_short_a_silence_proves_nothing() -> None:
    assert judge(Evidence(Tally(0, 1.0), QUIET), RULES) is Finding.UNKNOWN
    assert judge(Evidence(Tally(0, 60.0), QUIET), RULES) is Finding.GOOD


def test_more_than_before_is_not_good_below_the_limit_either() -> None:
    before = Tally(120, 600.0)
    assert judge(Evidence(Tally(38, 60.0), before), RULES) is Finding.UNKNOWN
    assert judge(Evidence(Tally(15, 60.0), before), RULES) is Finding.GOOD


def test_without_a_measure_nothing_is_good() -> None:
    assert judge(Evidence(Tally(0, 3600.0)), RULES) is Finding.UNKNOWN
    assert judge(Evidence(Tally(0, 60.0, 0), Tally(0, 600.0, 0)), SHARES) is Finding.UNKNOWN


def test_untouched_hosts_are_a_measure_where_before_is_unknown() -> None:
    lent = lend(None, Tally(24, 1200.0), Tally(0, 60.0), 600.0)
    assert lent == Tally(12, 600.0)
    assert judge(Evidence(Tally(0, 60.0), lent=lent), RULES) is Finding.GOOD
    assert judge(Evidence(Tally(40, 60.0), lent=lent), RULES) is Finding.WORSE


def test_a_short_baseline_is_lent_what_is_missing() -> None:
    now, short = Tally(1, 60.0, 120), Tally(0, 30.0, 60)
    lent = lend(short, Tally(60, 6000.0, 12_000), now, 600.0)
    assert lent == Tally(6, pytest.approx(570.0), 1140)
    line = told(Evidence(now, short, lent), SHARES)
    assert "baseline 0 of 60 and 6 of 1140 on untouched hosts (0.6 expected)" in line


def test_a_whole_baseline_is_lent_nothing() -> None:
    assert lend(QUIET, Tally(500, 600.0), Tally(0, 60.0), 600.0) is None
    assert lend(None, None, Tally(0, 60.0), 600.0) is None
    assert lend(None, Tally(0, 60.0, 0), Tally(0, 60.0, 0), 600.0) is None


def test_a_rise_of_the_untouched_hosts_is_the_environment() -> None:
    evidence = Evidence(Tally(40, 60.0), QUIET, None, Tally(80, 120.0), Tally(24, 1200.0))
    assert judge(evidence, RULES) is Finding.ENVIRONMENT


def test_what_is_worse_than_the_untouched_hosts_too_is_to_blame() -> None:
    evidence = Evidence(
        Tally(200, 60.0), QUIET, None, Tally(30, 120.0), Tally(24, 1200.0), contest=20.0
    )
    assert judge(evidence, RULES) is Finding.WORSE


def test_where_the_untouched_hosts_seem_to_rise_the_next_look_decides() -> None:
    evidence = Evidence(Tally(14, 60.0), QUIET, None, Tally(3, 12.0), Tally(24, 600.0))
    assert judge(evidence, RULES) is Finding.SUSPECT


def test_a_message_never_seen_before_fails_at_the_third() -> None:
    seen = Evidence(Tally(2, 60.0), QUIET, unseen=(("no such table", 2),))
    assert judge(seen, RULES) is not Finding.WORSE
    thrice = Evidence(Tally(3, 60.0), QUIET, unseen=(("no such table", 3),))
    assert judge(thrice, RULES) is Finding.WORSE


def test_a_message_never_seen_before_that_untouched_hosts_have_is_nobodys_fault() -> None:
    unseen = (("connection refused", 5),)
    evidence = Evidence(
        Tally(5, 60.0), QUIET, None, Tally(9, 60.0), QUIET, unseen=unseen, elsewhere=unseen
    )
    assert judge(evidence, RULES) is Finding.ENVIRONMENT


def test_half_of_the_requests_are_enough_unless_half_always_fail() -> None:
    half = Tally(5, 2.0, 10)
    assert judge(Evidence(half, Tally(0, 600.0, 600)), SHARES) is Finding.WORSE
    assert judge(Evidence(half), SHARES) is Finding.WORSE
    assert judge(Evidence(half, Tally(240, 600.0, 600)), SHARES) is not Finding.WORSE
    assert judge(Evidence(Tally(4, 2.0, 4)), SHARES) is not Finding.WORSE


def test_a_ceiling_holds_whatever_was_before() -> None:
    always = Tally(60, 600.0, 600)
    now = Tally(60, 600.0, 600)
    assert judge(Evidence(now, always), SHARES) is Finding.GOOD
    strict = Rules(alpha=0.001, effect=10, least=0.1, ceiling=0.02)
    assert judge(Evidence(now, always), strict) is Finding.WORSE
    few = Tally(1, 10.0, 10)  # a tenth, and nothing but chance
    assert judge(Evidence(few, Tally(6, 600.0, 600)), strict) is Finding.UNKNOWN


# -- how sure a pass is ------------------------------------------------------------------------


def test_the_rule_of_three() -> None:
    assert proven(Tally(0, 60.0, 300)) == pytest.approx(0.01)
    assert at_least(1, 3.0) == pytest.approx(0.95, abs=0.001)


def test_one_percent_needs_hundreds_of_requests() -> None:
    before = Tally(0, 600.0, 6000)
    assert not enough(Tally(0, 60.0, 300), before, 1.0, 0.001, 0.01)
    assert enough(Tally(0, 60.0, 1200), before, 1.0, 0.001, 0.01)


def test_what_matters_is_a_multiple_of_before_and_never_less_than_the_least() -> None:
    assert matters(Tally(0, 600.0), RULES) == 1.0
    assert matters(Tally(120, 600.0), RULES) == pytest.approx(2.0)


# -- the arithmetic ----------------------------------------------------------------------------


def test_the_arithmetic_is_told() -> None:
    evidence = Evidence(Tally(12, 60.0), QUIET, top=(("connection refused", 9), ("x" * 200, 3)))
    line = told(evidence, RULES)
    assert line.startswith(
        "12 incidents in 60 s, baseline 12 in 600 s (1.2 expected), limit 12; top: "
        "9× connection refused, 3× xxx"
    )
    assert line.endswith("x…")
    assert wanted(evidence, RULES) == "fewer than 12"


def test_a_message_never_seen_before_is_told_as_what_decided() -> None:
    message = "no such table: orders_v2"
    line, right = _told(Evidence(Tally(3, 5.0), QUIET, unseen=((message, 3),)), RULES)
    assert line.startswith(f"a message never seen before, 3 times: '{message}'; 3 incidents in 5 s")
    assert right == "fewer than 3"


def test_half_of_the_requests_is_told_as_what_decided() -> None:
    line, right = _told(Evidence(Tally(5, 2.0, 10)), SHARES)
    assert line.startswith("half of the requests or more failed; 5 of 10 requests failed")
    assert right == "fewer than 50 % failed"


def test_the_ceiling_is_told_as_what_decided() -> None:
    strict = Rules(alpha=0.001, effect=10, least=0.1, ceiling=0.02)
    line, right = _told(Evidence(Tally(60, 600.0, 600), Tally(60, 600.0, 600)), strict)
    assert line.startswith("above the ceiling of 2 %; 60 of 600 requests failed")
    assert right == "at most 2 %"


def test_the_untouched_hosts_are_told_as_what_decided() -> None:
    evidence = Evidence(
        Tally(10, 60.0), QUIET, None, Tally(0, 540.0), Tally(108, 5400.0), contest=20.0
    )
    line, right = _told(evidence, RULES)
    assert line.startswith("more than on untouched hosts at the same time; 10 incidents in 60 s")
    assert right == "no more than on untouched hosts"


def test_above_the_limit_the_limit_is_what_decided() -> None:
    line, right = _told(Evidence(Tally(40, 60.0), QUIET, unseen=(("new", 40),)), RULES)
    assert line.startswith("40 incidents in 60 s") and "never seen before: 40× new" in line
    assert right == "fewer than 12"


def _told(evidence: Evidence, rules: Rules) -> tuple[str, str]:
    """The line and what was wanted, of what is worse."""
    assert judge(evidence, rules) is Finding.WORSE
    return told(evidence, rules), wanted(evidence, rules)


def test_the_arithmetic_of_requests_names_the_untouched_hosts() -> None:
    evidence = Evidence(
        Tally(0, 45.0, 45), Tally(3, 600.0, 600), None, Tally(4, 90.0, 90), Tally(6, 1200.0, 1200)
    )
    assert told(evidence, SHARES) == (
        "0 of 45 requests failed in 45 s, baseline 3 of 600 (0.23 expected), limit 7; "
        "untouched hosts 4 of 90 (0.45 expected); no error in 45 requests rules out 6.7 %"
    )


def test_what_is_unknown_is_told_as_unknown() -> None:
    assert told(Evidence(Tally(1, 60.0)), RULES) == (
        "1 incident in 60 s, baseline unknown, limit unknown"
    )
    strict = Rules(alpha=0.001, effect=10, least=0.1, ceiling=0.02)
    assert wanted(Evidence(Tally(1, 60.0, 9)), strict) == "enough data, at most 2 %"
