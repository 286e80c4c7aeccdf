"""The numbers behind the gap, without a network."""

from __future__ import annotations

import random

import pytest

from gapless.prove.histogram import Histogram
from gapless.prove.pace import LATE, Pace
from gapless.prove.tally import Tally, version_in


@pytest.mark.parametrize("percent", [1, 50, 90, 99, 100])
def test_percentiles_are_right_to_a_few_per_cent(percent: int) -> None:
    random.seed(1)
    values = sorted(random.lognormvariate(-4, 1) for _ in range(5000))
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = values[max(0, len(values) * percent // 100 - 1)]
    assert histogram.percentile(percent) == pytest.approx(exact, rel=0.02)


def test_no_latencies_no_percentile() -> None:
    assert Histogram().percentile(50) is None


def test_memory_does_not_grow_with_the_rollout() -> None:
    tally = Tally()
    for number in range(50_000):
        tally.good(0.001 + number % 7 / 1000, float(number), str(number))
        tally.bad(float(number), "reset", kept=True)
    gap = tally.gap(50_000.0, 0, 1.0)
    assert len(gap.versions) <= 21 and sum(gap.versions.values()) == 50_000
    assert len(gap.failures) == 5 and len(tally.before._buckets) < 200


def test_a_silence_that_still_lasts_counts() -> None:
    tally = Tally()
    tally.good(0.01, 1.0, "")
    tally.good(0.01, 1.5, "")
    assert tally.gap(1.6, 0, 1.0).longest_silence == 1.0
    assert tally.gap(9.5, 0, 1.0).longest_silence == 8.0


def test_answers_that_arrive_out_of_order_make_no_silence() -> None:
    tally = Tally()
    for at in (0.5, 2.0, 1.0, 2.5):
        tally.good(0.01, at, "")
    assert tally.gap(2.5, 0, 1.0).longest_silence == 1.5


def test_on_time_nothing_is_late() -> None:
    pace, now = Pace(10, 0.0), 0.0
    for _ in range(50):
        now += pace.nap(now)
        assert pace.fair(now) == now
        pace.take(now)
    assert pace.late == 0


def test_a_stall_is_taken_off_and_not_made_up_for() -> None:
    pace = Pace(10, 0.0)
    assert pace.take(0.0)
    assert pace.nap(0.0) == pytest.approx(LATE)
    assert pace.fair(1.05) == pytest.approx(0.05)
    assert pace.late == 10
    assert pace.take(1.05) and not pace.take(1.06)


def test_what_was_taken_was_due_when_it_was_due() -> None:
    """Not when somebody came to it; what a stall held up was not due in it."""
    pace = Pace(10, 0.0)
    assert pace.take(0.03) and pace.taken == 0.0
    pace.nap(0.03)
    pace.fair(2.0)
    assert pace.take(2.0) and pace.taken == pytest.approx(pace.fair(2.0), abs=0.001)
    assert pace.taken < 0.2


def test_a_small_lag_is_nobodys_fault() -> None:
    pace = Pace(10, 0.0)
    pace.nap(0.0)
    assert pace.fair(LATE * 0.9) == LATE * 0.9 and pace.late == 0


@pytest.mark.parametrize(
    ("body", "version"),
    [(b'{"version": "7"}', "7"), (b'{"v": 1}', ""), (b"{", ""), (b"[]", ""), (b"ok", "")],
)
def test_the_version_in_a_body(body: bytes, version: str) -> None:
    assert version_in(body) == version
