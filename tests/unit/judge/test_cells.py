"""The cells of the tables in docs/explanation/judging.md, by seeded simulation.

Every number is the outcome of a fixed seed, so a change of the method shows at once.
"""

from __future__ import annotations

import random

import pytest

from gapless.judge.gate import Finding
from tests.unit.judge.streams import Stream, findings, found_at


def share_found(
    stream: Stream, runs: int, *, within: float, times: float = 1.0, **how: float
) -> float:
    """Share of seeded runs that come to FAIL in time."""
    chance = random.Random(20_261_121)
    found = [
        found_at(stream, chance, times=times, seconds=within, **how) is not None
        for _ in range(runs)
    ]  # fmt: skip
    return sum(found) / runs


@pytest.mark.parametrize(("rate", "runs"), [(0.02, 600), (0.2, 600), (2.0, 200)])
def test_incidents_that_come_by_chance_fail_nobody(rate: float, runs: int) -> None:
    assert share_found(Stream(rate), runs, within=60) <= 0.001


@pytest.mark.parametrize(("rate", "runs"), [(0.2, 400), (2.0, 200)])
def test_incidents_that_come_in_bursts_fail_few(rate: float, runs: int) -> None:
    assert share_found(Stream(rate, burst=10), runs, within=60) <= 0.01


def test_bursts_on_a_quiet_host_are_the_worst_cell() -> None:
    """Ten minutes of baseline hold a burst or none: nobody can know how they come."""
    assert share_found(Stream(0.02, burst=10), 400, within=60) <= 0.02


@pytest.mark.parametrize("rate", [0.2, 0.5, 2.0])
def test_ten_times_the_incidents_are_found_in_half_a_minute(rate: float) -> None:
    assert share_found(Stream(rate), 200, within=30, times=10) >= 0.95


def test_five_times_the_incidents_are_found_in_a_minute() -> None:
    assert share_found(Stream(0.2), 200, within=60, times=5) >= 0.9
    assert share_found(Stream(2.0), 100, within=30, times=5) >= 0.95


def test_a_quiet_host_tells_little() -> None:
    """The honest limit: in a minute nobody sees ten times as many where there are hardly any."""
    assert share_found(Stream(0.02), 200, within=60, times=10) <= 0.5
    assert share_found(Stream(0.02), 100, within=60, times=50) >= 0.95


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.05])
@pytest.mark.parametrize("hosts", [0, 9])
def test_failed_requests_by_chance_fail_nobody(share: float, hosts: int) -> None:
    runs = 30 if hosts else 60
    assert share_found(Stream(share, requests=1.0), runs, within=300, hosts=hosts) <= 0.01


@pytest.mark.parametrize("hosts", [1, 9])
def test_half_a_percent_that_becomes_twenty_is_found_in_a_minute(hosts: int) -> None:
    found = share_found(Stream(0.005, requests=1.0), 200, within=60, times=40, hosts=hosts)
    assert found >= (0.95 if hosts > 1 else 0.85)


def test_where_all_requests_fail_seconds_are_enough() -> None:
    assert share_found(Stream(0.005, requests=1.0), 100, within=15, times=200) >= 0.98
    assert share_found(Stream(0.005, requests=0.2), 100, within=60, times=200) >= 0.98


@pytest.mark.parametrize("hosts", [1, 3, 8])
@pytest.mark.parametrize("stream", [Stream(0.2), Stream(0.02, requests=5.0)])
def test_what_rises_everywhere_is_not_blamed_on_the_release(hosts: int, stream: Stream) -> None:
    chance = random.Random(7)
    first: list[Finding] = []
    for _ in range(100):
        looks = findings(stream, chance, times=10, others=10, hosts=hosts, seconds=60)
        decided = (f for _, f in looks if f in (Finding.WORSE, Finding.ENVIRONMENT))
        first.append(next(decided, Finding.UNKNOWN))
    assert first.count(Finding.ENVIRONMENT) >= 95
    assert first.count(Finding.WORSE) <= 2


@pytest.mark.parametrize("hosts", [1, 3, 8])
def test_what_rises_here_alone_is(hosts: int) -> None:
    chance = random.Random(8)
    first = [
        next(f for _, f in looks if f in (Finding.WORSE, Finding.ENVIRONMENT))
        for looks in (
            findings(Stream(0.2), chance, times=20, hosts=hosts, seconds=60) for _ in range(100)
        )
    ]
    assert first.count(Finding.WORSE) >= 99


def test_nothing_is_called_good_that_nobody_asked_for() -> None:
    chance = random.Random(9)
    looks = findings(Stream(0.01, requests=0.0), chance, seconds=600)
    assert {finding for _, finding in looks} == {Finding.UNKNOWN}


def test_a_quiet_minute_is_good_only_when_it_proves_something() -> None:
    chance = random.Random(10)
    at = [
        next((at for at, f in findings(Stream(0.0), chance, seconds=120) if f is Finding.GOOD), 0)
        for _ in range(5)
    ]
    assert set(at) == {35.0}
