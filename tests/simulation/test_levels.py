"""Rollouts that wait for a latency or a lag to be back before they touch the next instance."""

from __future__ import annotations

import pytest

from tests.simulation.levelled import HOSTS, restart

pytestmark = pytest.mark.sim


def test_the_next_one_waits_until_it_is_back() -> None:
    """A spike of two minutes after each restart."""
    told = restart(lambda after: 0.4 if after < 120 else 0.02, most=0.1)
    assert (told.code, told.restarted) == (0, list(HOSTS))
    assert told.told("check.passed").count("0.02, 0.02 before the rollout") == 3
    assert all(120 <= told.waited(host) + 5 + 5 <= 145 for host in HOSTS), [
        told.waited(host) for host in HOSTS
    ]


def test_what_stays_too_much_stops_the_rollout_at_that_member() -> None:
    told = restart(lambda _: 0.4, most=0.1)
    assert told.code in (4, 5)
    assert set(told.restarted) == {"h1"}
    (failed,) = [e.data for e in told.events if e.type == "step.failed"]
    assert failed["what"] == "level (p99): 0.4, 0.02 before the rollout"
    assert "at most 0.1" in failed["evidence"]


def test_compared_with_the_value_before_the_rollout() -> None:
    """The median counts: one spike in the history is no measure."""
    assert restart(lambda _: 0.039, times=2).code == 0
    told = restart(lambda _: 0.041, times=2)
    assert told.code in (4, 5)
    assert set(told.restarted) == {"h1"}


def test_all_are_compared_with_before_the_first() -> None:
    """Not with what the members before it have left behind."""
    told = restart(lambda _: 0.02, times=2, baseline="10m")
    assert set(told.gauge.asked_before) == {(told.started - 600, told.started)}


def test_a_lag_of_none_may_grow_to_the_floor() -> None:
    zero = {"history": (0, 0, 0)}
    assert restart(lambda _: 900, times=2, floor=1000, gauge=zero).code == 0
    assert restart(lambda _: 1100, times=2, floor=1000, gauge=zero).code in (4, 5)


def test_the_smaller_of_both_limits_holds() -> None:
    assert restart(lambda _: 0.05, most=0.1, times=2).code in (4, 5)
    assert restart(lambda _: 0.15, most=0.1, times=100).code in (4, 5)


@pytest.mark.parametrize(
    ("gauge", "why"),
    [({"silent": True}, "no answer: Prometheus does not answer"), ({"history": ()}, None)],
)
def test_who_does_not_know_says_nothing_good(gauge: dict[str, object], why: str | None) -> None:
    told = restart(lambda _: 0.02, times=2, gauge=gauge)
    assert (told.code, told.restarted) == (7, ["h1"])
    (answer,) = told.told("check.inconclusive")
    assert answer == (why or "0.02, and what it was before the rollout is not known")


def test_no_data_is_inconclusive() -> None:
    told = restart(lambda _: None, most=0.1)
    assert (told.code, told.restarted) == (7, ["h1"])
    assert told.told("check.inconclusive") == ["no data"]
    held = [e for e in told.events if e.type == "instance.held"]
    assert [(e.host, e.data["why"]) for e in held] == [("h1", "too little data to judge")]


def test_a_limit_alone_needs_no_history() -> None:
    assert restart(lambda _: 0.02, most=0.1, gauge={"history": ()}).code == 0


def test_what_was_measured_before_the_switch_is_not_believed() -> None:
    """Good all the time, and scraped every ten minutes: the first scrape after it counts."""
    told = restart(lambda after: 0.02 if after < 0 else 0.4, most=0.1, gauge={"scraped": 600.0})
    assert set(told.restarted) == {"h1"}
    assert told.code in (4, 5, 7)
    assert "check.passed" not in {e.type for e in told.events if e.step == "verify"}


def test_nothing_fresh_is_inconclusive() -> None:
    told = restart(lambda _: 0.02, most=0.1, gauge={"scraped": 1e7})
    assert told.code == 7
    assert told.told("check.inconclusive") == ["nothing was measured since the switch"]


def test_nothing_counts_within_the_grace() -> None:
    """It rises only after twenty seconds."""
    told = restart(lambda after: 0.4 if 20 <= after < 200 else 0.02, most=0.1, grace="30s")
    assert told.code == 0
    assert told.waited("h1") > 180


def test_one_good_look_is_not_enough() -> None:
    """It is back for four seconds in every ten."""
    told = restart(lambda after: 0.02 if after % 10 < 4 else 0.4, most=0.1, interval="2s")
    assert told.code in (4, 5)


def test_what_was_too_much_before_is_not_blamed_on_the_member() -> None:
    told = restart(lambda _: 0.4, most=0.1, gauge={"history": (0.3, 0.3)})
    assert (told.code, told.restarted) == (7, ["h1"])
    assert told.told("check.inconclusive") == [
        "0.4, 0.3 before the rollout: it was too much before"
    ]


def test_a_person_may_accept_what_nobody_knows() -> None:
    told = restart(lambda _: None, most=0.1, resumed=3)
    assert [ending.exit_code for ending in told.endings] == [7, 7, 7, 0]
    assert told.restarted == list(HOSTS)


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("fail", 4)])
def test_the_policy_decides(policy: str, code: int) -> None:
    assert restart(lambda _: None, most=0.1, on_insufficient=policy).code == code


def test_force_does_not_ask() -> None:
    told = restart(lambda _: 0.4, most=0.1, force="we know")
    assert told.code == 0 and told.gauge.asked_before == []
