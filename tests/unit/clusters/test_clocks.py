"""Clocks that are apart for certain are told of, and no others."""

from __future__ import annotations

import pytest

from gapless.clusters.clocks import Reading, skewed
from gapless.clusters.finding import Finding


def _told(*ahead: float, unsure: float = 0.01, limit: float = 0.5) -> list[Finding]:
    readings = [
        Reading(f"db{number}", seconds - unsure, seconds + unsure)
        for number, seconds in enumerate(ahead, start=1)
    ]
    return list(skewed(readings, limit))


def test_the_one_that_is_wrong_is_named() -> None:
    (finding,) = _told(0.0, 0.002, 3.2)
    assert (finding.code, finding.where, finding.absolute) == ("clock-skew", "db3", False)
    assert finding.what == "its clock is 3.2 s ahead of that of db2, and 0.5 s are allowed"
    assert "db3: +3.200 s from db1, give or take 0.020 s" in finding.evidence
    assert finding.next.startswith("timedatectl set-ntp true")


def test_one_that_is_behind() -> None:
    (finding,) = _told(0.0, -60.0, 0.01)
    assert (finding.where, finding.what.split(",")[0]) == (
        "db2", "its clock is 60 s behind that of db1",
    )  # fmt: skip


def test_of_two_nobody_knows_which() -> None:
    (finding,) = _told(0.0, 2.0)
    assert finding.where == "db1 and db2"
    assert finding.what.startswith("their clocks are 2 s apart")


def test_apart_from_each_other_and_not_from_the_middle() -> None:
    (finding,) = _told(-0.4, 0.0, 0.4)
    assert finding.where == "db1 and db3" and "0.8 s apart" in finding.what


def test_several_are_told_each() -> None:
    assert [one.where for one in _told(-5.0, 0.0, 0.0, 0.1, 9.0)] == ["db1", "db5"]


@pytest.mark.parametrize("ahead", [(), (7.0,), (0.0, 0.0, 0.0), (0.0, 0.5, 0.2)])
def test_what_is_near_enough(ahead: tuple[float, ...]) -> None:
    assert _told(*ahead) == []


@pytest.mark.parametrize(("unsure", "told"), [(0.24, True), (0.26, False), (5.0, False)])
def test_a_doubt_is_no_difference(unsure: float, told: bool) -> None:
    """A second apart: what each question took is taken off, twice its half."""
    assert bool(_told(0.0, 1.0, unsure=unsure)) is told


def test_a_slow_answer_hides_no_other_and_does_not_say_who_is_wrong() -> None:
    readings = [Reading("db1", 0, 0), Reading("db2", -4, 4), Reading("db3", 2, 2)]
    assert [one.where for one in skewed(readings, 0.5)] == ["db1 and db3"]
