"""``abort`` at any instant, heard by the controller that works: what is under way is cut short, and
everything goes back."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, scenario

PARTS = 60
BESIDE = ("start-first", "canary", "blue-green")
CLIENTS = 2.0
"""Seconds for which clients keep what they have open: a drain lasts."""

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("strategy", ["", *BESIDE], ids=lambda name: name or "rolling")
def test_at_any_instant(strategy: str) -> None:
    calm = _calm(strategy)
    whole = _seconds(_played(calm, None))
    found = []
    for part in range(1, PARTS):
        at = whole * part / PARTS
        course = _played(calm, at)
        found += [f"{at:.2f} s: {text}" for text in breaches(course)]
        if course.outcome not in ("restored", "done"):
            found.append(f"{at:.2f} s: ended as {course.outcomes}")
        versions = {unit.version for unit in course.world.units("s0") if unit.running}
        if versions != ({"v2"} if course.outcome == "done" else {"v1"}):
            found.append(f"{at:.2f} s: {versions} run after {course.outcome}")
    assert not found, "\n".join(found)


def _played(calm: Scenario, at: float | None) -> Course:
    """``at`` seconds into it somebody asks for the abort."""

    def happens(course: Course) -> None:
        course.world.traffic["lb-s0"].connections_last = CLIENTS
        if at is not None:
            asyncio.get_running_loop().call_later(at, _ask, course)

    return run_virtual(play(dataclasses.replace(calm, happens=happens)))


def _ask(course: Course) -> None:
    course.journal.request(course.rollout, "abort", "ann", course.world.clock.now())


def _seconds(course: Course) -> float:
    return max(event.ts for event in course.events) - min(event.ts for event in course.events)


def _calm(strategy: str) -> Scenario:
    """Three hosts behind a balancer, a deploy, nothing that goes wrong by itself."""
    drawn = scenario(3)
    order = {"shift": [{"share": "5%", "hold": "2s"}], "hold": "1s"}
    service = dataclasses.replace(
        drawn.services[0], hosts=("h1", "h2", "h3"), after=(), bad={}, balanced=True, batch=1,
        order=order if strategy == "canary" else {}, canary=int(strategy == "canary"),
        on_failure="rollback", max_failed=0,
    )  # fmt: skip
    return dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=True,
        beside=strategy in BESIDE, strategy=strategy,
    )  # fmt: skip
