"""Who owns a cluster, and the others on its hosts, while one of them is restarted."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from gapless.drivers.transports.base import Claim
from gapless.engine.outcome import Ending
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.model import Fence
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.virtual_time import run_virtual
from tests.simulation.neighbours import (
    HOSTS,
    Happens,
    claimed,
    found,
    in_the_middle,
    two,
)
from tests.simulation.run import Course, _config, _plan, _worker, play
from tests.simulation.scenario import Scenario

pytestmark = pytest.mark.sim


@dataclasses.dataclass
class Elsewhere:
    """A controller in another terminal, with a journal of its own; ``when`` it begins to restart
    ``asked``."""

    asked: str
    when: Callable[[Course], bool]
    ending: Ending | None = None
    seen: tuple[str, ...] = ()
    """What was claimed when it began."""
    task: asyncio.Task[None] | None = None

    def __call__(self, course: Course) -> None:
        self._begin(course)
        course.world.on_change(lambda _: self._begin(course))

    def _begin(self, course: Course) -> None:
        if self.task is None and self.when(course):
            self.seen = tuple(claimed(course))
            self.task = asyncio.ensure_future(self._work(course))

    async def _work(self, course: Course) -> None:
        config = _config(course.scenario)
        worker = _worker(course.world, SqliteJournal(None), config, "", 9)
        worker.salt = lambda: "0009"
        rollout = worker.open(_plan(config, "", (self.asked,)), actor="other")
        self.ending = await worker.work(rollout)


def at_once(_: Course) -> bool:
    return True


def both(happens: Happens, **cluster: Any) -> Scenario:
    """The same, and these keys are of both."""
    calm = two(happens, **cluster)
    services = tuple(dataclasses.replace(one, cluster=cluster) for one in calm.services)
    return dataclasses.replace(calm, services=services)


@pytest.mark.parametrize(("ours", "theirs"), [("s0", "s1"), ("s1", "s0")])
def test_who_restarts_a_neighbour_meanwhile_is_told_who_owns_it(ours: str, theirs: str) -> None:
    """In one order, so it is the first of the two that is found to be owned."""
    other = Elsewhere(theirs, in_the_middle)
    course = run_virtual(play(two(other, asked=ours)))
    assert course.outcome == "done"
    assert not found(course)
    assert other.ending is not None
    assert (other.ending.outcome, other.ending.exit_code) == ("lock_held", 6)
    error = other.ending.error
    assert error is not None
    assert error.what.startswith(f"s0 is locked: rollout {course.rollout} owns it")
    why = "restart of s1, which is on the same hosts" if ours == "s1" else "s1 is on the same hosts"
    assert why in error.evidence
    assert "gapless lock break s0" in error.next
    assert {deed.unit for deed in course.world.deeds("restart")} == {f"{ours}.service"}


def test_of_two_that_begin_at_the_same_moment_one_gets_all_of_it() -> None:
    other = Elsewhere("s1", at_once)
    course = run_virtual(play(two(other)))
    assert other.ending is not None
    assert {course.outcome, other.ending.outcome} == {"done", "lock_held"}
    assert not claimed(course)
    assert len(course.world.deeds("restart")) == len(HOSTS)


def test_the_one_that_is_left_alone_finds_itself_claimed() -> None:
    """A stop of s0 does not touch s1, and one of s1 touches s0."""
    other = Elsewhere("s1", in_the_middle)
    course = run_virtual(play(two(other, neighbours="leave")))
    assert course.outcome == "done"
    assert other.ending is not None
    assert other.ending.error is not None
    assert other.ending.error.what.startswith("s0 is locked")
    assert "s1 is on the same hosts" in other.ending.error.evidence
    assert not [one for one in other.seen if one.startswith("s1")]


def test_two_that_leave_each_other_alone_claim_nothing_of_each_other() -> None:
    other = Elsewhere("s1", in_the_middle)
    course = run_virtual(play(both(other, neighbours="leave")))
    assert other.ending is not None
    assert (course.outcome, other.ending.outcome) == ("done", "done")
    assert not claimed(course)


def test_a_neighbour_on_a_host_that_is_away_is_not_waited_for() -> None:
    """Nobody can stop anything there."""

    def away(course: Course) -> None:
        course.world.host("h3").unreachable_until = 1e9

    course = run_virtual(play(dataclasses.replace(two(away), only="h1,h2")))
    (refused,) = [e.data for e in course.events if e.type == "rollout.refused"]
    assert refused["code"] == "GL-204", "the floor says so, and not the claims"
    assert not [one for one in claimed(course) if "h3" not in one]


@pytest.mark.parametrize("given_back", [True, False], ids=["free", "taken"])
def test_a_neighbour_whose_lock_was_broken_meanwhile_is_claimed_again_or_stops_the_resume(
    given_back: bool,
) -> None:
    """The controller is gone, and somebody breaks the lock of the neighbour; ``taken``: for
    himself."""

    def breaks(course: Course) -> None:
        def in_its_middle(_: object) -> None:
            if in_the_middle(course) and not course.outcomes and not broken:
                course.kill_controller()
                broken.extend(_broken(course, "s1", given_back=given_back))

        course.world.on_change(in_its_middle)

    broken: list[Fence] = []
    course = run_virtual(play(two(breaks)))
    assert len(broken) == len(HOSTS)
    restarted = [deed.host for deed in course.world.deeds("restart")]
    if given_back:
        assert course.outcomes == ["killed", "done"]
        assert not found(course)
        assert sorted(restarted) == list(HOSTS)
    else:
        assert set(course.outcomes) == {"killed", "mixed"}, "h1 is stopped in the middle"
        assert restarted == ["h1"], "nobody is touched beside somebody else's rollout"
        assert claimed(course)


def _broken(course: Course, service: str, *, given_back: bool) -> list[Fence]:
    """As by ``gapless lock break``."""
    claim = Claim(f"sim.{service}", "by-hand", "dana", "desk", 1, 0.0, "she is gone")
    fences = []
    for host in HOSTS:
        claims = course.world.host(host).claims
        claimed = claims.claim(claim, FakeTransport(course.world, host), take_over=True)
        assert claimed.fence is not None
        if given_back:
            claims.release(claimed.fence)
        fences.append(claimed.fence)
    return fences
