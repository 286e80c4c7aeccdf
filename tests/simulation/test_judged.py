"""Rollouts in which nothing changed: the judge blames none of them."""

from __future__ import annotations

import pytest

from gapless.config.judging import JudgeConfig
from gapless.testing.fake_rates import Errs
from tests.simulation.judged import restart

RUNS = 300
pytestmark = pytest.mark.sim


USUAL = (
    Errs(0.005, requests=5.0),
    Errs(0.02, requests=2.0),
    Errs(0.2),
    Errs(0.05),
    Errs(0.1, burst=5),
)
"""Half a percent and two percent of requests; incidents by chance, and in bursts."""


def test_null_rollouts_are_not_aborted() -> None:
    """At most one in a hundred fails, or pauses for an environment in which nothing happens."""
    failed, paused = [], []
    for seed in range(RUNS):
        judged = restart(seed, USUAL[seed % len(USUAL)], hosts=3)
        held = [e.data["reason"] for e in judged.events if e.type == "instance.held"]
        if judged.ending.exit_code in (4, 5):
            failed.append(seed)
        elif "environment" in held:
            paused.append(seed)
    assert len(failed) <= RUNS // 100, f"seeds {failed}"
    assert len(paused) <= RUNS // 100, f"seeds {paused}"


@pytest.mark.parametrize("history", [True, False])
def test_a_canary_of_twenty_hosts_is_caught_within_a_minute(history: bool) -> None:
    """0.5 % before and 20 % after, at one request a second on each host; also where the counters
    have no history, as those of balancers. The unlucky take a little longer."""
    seconds = []
    for seed in range(20):
        bad = restart(
            seed, Errs(0.005, requests=1.0), hosts=20, history=history,
            after=Errs(0.2, requests=1.0), judge=JudgeConfig(interval="1s"),
        )  # fmt: skip
        assert bad.ending.exit_code == 4
        assert [e.host for e in bad.events if e.type == "instance.failed"] == ["h1"]
        switched = next(e.ts for e in bad.events if e.type == "step.started" and e.step == "switch")
        failed = next(e.ts for e in bad.events if e.type == "step.failed")
        seconds.append(failed - switched)
    assert sum(took <= 60 for took in seconds) >= 18, sorted(seconds)
    assert max(seconds) <= 90


def test_hosts_of_a_batch_that_are_too_quiet_alone_are_judged_together() -> None:
    """At one request in two seconds a host alone says nothing for minutes; three together do."""
    quiet = Errs(0.0, requests=0.5)
    judge = JudgeConfig(extend="90s", controls=False)
    alone = restart(1, quiet, hosts=6, judge=judge)
    assert alone.ending.outcome == "paused"
    judged = restart(1, quiet, hosts=6, batch=3, canary=0, judge=judge)
    assert judged.ending.outcome == "done"
    together = [v for v in judged.verdicts("check.passed") if "together" in v]
    assert together


KILLS = range(4, 44, 4)
"""Writes of the journal at which the controller dies."""


@pytest.mark.parametrize("dies_at", KILLS)
def test_a_killed_controller_comes_to_the_same_verdict(dies_at: int) -> None:
    usual = Errs(0.005, requests=10.0)
    good = restart(1, usual, hosts=2, dies_at=dies_at)
    assert good.ending.exit_code == 0
    assert len(good.verdicts("check.passed")) >= 2
    bad = restart(1, usual, hosts=2, after=Errs(0.3, requests=10.0), dies_at=dies_at)
    assert bad.ending.exit_code == 4
    assert [e.host for e in bad.events if e.type == "instance.failed"] == ["h1"]
    unknown = restart(1, usual, hosts=2, silent=True, dies_at=dies_at)
    assert unknown.ending.exit_code == 7
    assert [v for v in unknown.verdicts("check.passed") if "rate" in v] == []
