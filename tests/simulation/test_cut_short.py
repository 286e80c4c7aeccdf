"""A restart that a person cuts short: what was started anew and is well is not started again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

import pytest

from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import scenario

pytestmark = pytest.mark.sim


def played(
    strategy: str, step: str, *, deploys: bool = False, more: Callable[[Course], None] | None = None
) -> Course:
    """Three hosts; as soon as the second one begins ``step`` somebody asks for the abort."""
    drawn = scenario(3)
    service = dataclasses.replace(
        drawn.services[0], hosts=("h1", "h2", "h3"), after=(), bad={}, batch=1, canary=0,
        balanced=not strategy, max_unavailable=1, max_failed=0, on_failure="stop",
    )  # fmt: skip
    watching: list[asyncio.Task[None]] = []

    async def watch(course: Course) -> None:
        while f"wave1/h2/s0/{step}" not in (
            course.journal.steps(course.rollout) if course.rollout else {}
        ):
            await asyncio.sleep(0.05)
        course.journal.request(course.rollout, "abort", "ann", course.world.clock.now())
        if more is not None:
            more(course)

    def happens(course: Course) -> None:
        watching.append(asyncio.ensure_future(watch(course)))

    calm = dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=deploys,
        strategy=strategy, happens=happens, zones={},
    )  # fmt: skip
    return run_virtual(play(calm))


def ordered(course: Course, host: str) -> list[str]:
    """What was done to its unit."""
    return [deed.what for deed in course.world.deeds("restart", "stop", "start", host=host)]


@pytest.mark.parametrize(
    ("strategy", "step"),
    [
        *(("", step) for step in ("ready", "admit", "soak")),
        *(("followers-first", step) for step in ("ready", "rejoin", "soak")),
    ],
)
def test_what_was_started_anew_is_not_started_once_more(strategy: str, step: str) -> None:
    course = played(strategy, step)
    assert ordered(course, "h2") == ["restart"]
    assert course.outcome == "restored", course.outcomes
    assert not breaches(course)
    kinds = {(e.host, e.type, e.step) for e in course.events}
    assert ("h2", "rollback.succeeded", "switch") in kinds
    if not strategy:
        assert not ordered(course, "h3"), "nothing new is begun"
        assert all(course.world.in_traffic(unit) for unit in course.world.units("s0"))


def test_one_that_is_not_well_is_started_once_more() -> None:
    def sick(course: Course) -> None:
        course.world.host("h2").units["s0.service"].healthy = False

    course = played("", "soak", more=sick)
    assert "stop" in ordered(course, "h2")
    assert not breaches(course)


def test_a_deploy_that_is_cut_short_goes_back() -> None:
    course = played("", "soak", deploys=True)
    assert "stop" in ordered(course, "h2")
    assert {u.version for u in course.world.units("s0") if u.place == "h2"} == {"v1"}
    assert not breaches(course)
