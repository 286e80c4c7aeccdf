"""Rollouts in which nothing changed: the judge blames none of them."""

from __future__ import annotations

from gapless.config.judging import JudgeConfig
from gapless.testing.fake_rates import Errs
from tests.simulation.judged import restart

RUNS = 300


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


def test_hosts_of_a_batch_that_are_too_quiet_alone_are_judged_together() -> None:
    """At one request in two seconds a host alone says nothing for minutes; three together do."""
    quiet = Errs(0.0, requests=0.5)
    judge = JudgeConfig(extend="170s", least_share="10%", controls=False)
    alone = restart(1, quiet, hosts=6, judge=judge)
    assert alone.ending.outcome == "paused"
    judged = restart(1, quiet, hosts=6, batch=3, canary=0, judge=judge)
    assert judged.ending.outcome == "done"
    together = [v for v in judged.verdicts("check.passed") if "together" in v]
    assert together
