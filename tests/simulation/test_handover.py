"""Rollouts in which two copies hand over: whoever is killed at whatever instant, and who goes on.

Invariants, looked at at every instant: while two copies may be connected, none handles events
without the lock. At the end there is exactly one copy, which is active; the phase is done, and the
lock is off."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Iterator

import pytest

from gapless.testing import fake_handover
from gapless.testing.fake_handover import FakeCopies
from gapless.testing.fake_unit import NEVER_READY, Behaviour
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, SimService, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 40
CHUNK = 125
STEPS = ("switch", "ready", "admit", "soak", "drain", "retire")

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("first", range(0, ROLLOUTS, CHUNK))
def test_random_rollouts_keep_every_promise(first: int) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        course = run_virtual(play(_handed_over(scenario(seed))))
        bare = [text for text in course.world.breaches if "without the lock" in text]
        found += [f"seed {seed}: {text}" for text in (*breaches(course), *bare[:1])]
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record(aborted: bool) -> None:
    calm = dataclasses.replace(_calm(), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    assert records > 15
    for number in range(2, records + 5):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not [*breaches(course), *_wrong(course)], (number, committed)
            versions = {unit.version for unit in course.world.units("s0") if unit.running}
            wanted = {"v2"} if course.outcome == "done" else {"v1"}
            assert course.outcome in ("done", "restored", "refused"), course.outcomes
            assert versions == wanted, (number, committed, course.outcomes)


def test_what_is_done_in_which_order() -> None:
    course = run_virtual(play(_calm()))
    assert course.outcome == "done", course.outcomes
    assert not [*breaches(course), *_wrong(course)]
    (copies,) = course.copies.values()
    asked = [what.partition(" ")[2].partition("?")[0] for _, what in copies.log if "?" in what]
    assert asked == ["/lock", "/activate", "/deactivate", "/lock"]
    phases = [
        what.partition('"phase": "')[2].partition('"')[0]
        for _, what in copies.log
        if what.startswith("state.json")
    ]
    assert list(dict.fromkeys(phases)) == ["done", "standby", "joint", "draining"]
    assert phases[-1] == "done"
    deeds = [f"{deed.what} {deed.unit}" for deed in course.world.deeds("restart", "stop", "end")]
    assert deeds == ["restart s0@b.service", "end s0@a.service", "stop s0@a.service"]


@pytest.mark.parametrize("bad", [NEVER_READY, Behaviour(unhealthy_after=6.0)])
def test_back_from_a_bad_release_nothing_of_the_old_copy_was_changed(bad: Behaviour) -> None:
    calm = _calm()
    service = dataclasses.replace(calm.services[0], bad={"h1": bad})
    course = run_virtual(play(dataclasses.replace(calm, services=(service,))))
    assert course.outcome == "restored", course.outcomes
    assert not [*_wrong(course)]
    assert not course.world.deeds("restart", "stop", "end", unit="s0@a.service")


Happening = Callable[[Course, FakeCopies], None]


def _kill_old(course: Course, copies: FakeCopies) -> None:
    _unit(course, "a").crash(-9)


def _kill_new(course: Course, copies: FakeCopies) -> None:
    if _unit(course, "b").main_pid:
        _unit(course, "b").crash(-9)


def _kill_both(course: Course, copies: FakeCopies) -> None:
    _kill_old(course, copies)
    _kill_new(course, copies)


def _abort(course: Course, copies: FakeCopies) -> None:
    now = course.world.clock.now()
    course.journal.request(course.rollout, "abort", "ann", now)


def _hang_old(course: Course, copies: FakeCopies) -> None:
    for copy in copies.alive.values():
        copy.hangs = copy.hangs or copy.unit.slot == "a"


def _step_clock(course: Course, copies: FakeCopies) -> None:
    course.world.step_controller(-3600)


HAPPENINGS = [_kill_old, _kill_new, _kill_both, _hang_old, _step_clock]


@pytest.mark.parametrize("verb", ["", "resume", "abort"])
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda h: h.__name__[1:])
def test_something_happens_at_any_instant(happening: Happening, verb: str) -> None:
    """In each twelfth of the rollout; with ``verb`` the controller dies there, too, and another one
    goes on or takes it back."""
    calm = dataclasses.replace(_calm(), abort=verb == "abort")
    whole = _seconds(run_virtual(play(calm)))
    found = []
    for part in range(1, 12):
        at = whole * part / 12
        scene = dataclasses.replace(calm, happens=_at(at, happening, bool(verb)))
        course = run_virtual(play(scene))
        assert (course.outcomes[0] == "killed") == bool(verb), course.outcomes
        found += [f"{at:.2f} s: {text}" for text in (*_ended(course), *_wrong(course))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("hundredth", range(4, 100, 8))
def test_an_abort_is_heard_at_any_instant(hundredth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same controller, and what is under way is cut short."""
    monkeypatch.setattr(fake_handover, "_DRAINS", 2.5)
    calm = _calm()
    whole = _seconds(run_virtual(play(calm)))
    found = []
    for part in range(hundredth, hundredth + 8):
        at = whole * part / 100
        course = run_virtual(play(dataclasses.replace(calm, happens=_at(at, _abort, False))))
        assert course.outcomes == [course.outcome], course.outcomes
        found += [f"{at:.2f} s: {text}" for text in (*_ended(course), *_wrong(course))]
    assert not found, "\n".join(found)


def test_an_old_copy_that_is_still_finishing_is_told_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits for its end, and it takes no start."""
    monkeypatch.setattr(fake_handover, "_DRAINS", 2.5)
    asked: list[float] = []
    looking: list[asyncio.Task[None]] = []

    def plan(course: Course) -> None:
        (copies,) = course.copies.values()

        async def look() -> None:
            while not any("s0-a /deactivate" in what for _, what in copies.log):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
            asked.append(course.world.clock.now())
            _abort(course, copies)

        looking.append(asyncio.get_running_loop().create_task(look()))

    course = run_virtual(play(dataclasses.replace(_calm(), happens=plan)))
    assert course.outcome == "restored", course.outcomes
    assert not [*_wrong(course)]
    assert not course.world.deeds("restart", "stop", unit="s0@a.service")
    (copies,) = course.copies.values()
    assert any("s0-a /abort" in what for _, what in copies.log)
    (back,) = [e for e in course.events if e.type == "rollback.succeeded"]
    assert back.data["went_on"]
    (begun,) = [e for e in course.events if e.type == "rollback.started"]
    assert begun.ts - asked[0] < 1.0


def test_a_start_on_the_way_back_is_prepared_by_who_orders_it() -> None:
    """Variables that only the controller holds, as those of containers, die with it; whoever goes
    on has others given, for the old ones are of an obsolete epoch."""
    calm = dataclasses.replace(_calm(), abort=True, happens=_forgetful)
    whole = 0
    for number in range(2, 60):
        scene = dataclasses.replace(calm, kills=((_NEVER, False), (number, True)))
        course = run_virtual(play(scene))
        assert not [*_ended(course), *_wrong(course)], (number, course.outcomes)
        (copies,) = course.copies.values()
        said = [what for _, what in copies.log]
        assert course.outcomes[0] == "killed"
        assert any(what.startswith("s0-a-") and what.endswith("is born") for what in said), said
        if course.outcomes[1] != "killed":
            whole = number
            break
    assert whole > 10


_NEVER = 1 << 30


def _forgetful(course: Course) -> None:
    """The first controller dies when the old copy has ended; with each one dies what it prepared
    and did not start."""
    (copies,) = course.copies.values()
    dies = course.world.kill_controller

    def look(world: World) -> None:
        drained = copies.written.get("phase") == "draining" and not _unit(course, "a").running
        if drained and not course.outcomes and course.mortal and not course.mortal.dead:
            course.mortal.dead = True
            asyncio.get_running_loop().call_soon(course.kill_controller)

    def forget() -> None:
        dies()
        for unit in course.world.units("s0"):
            path = f"/etc/systemd/system/{unit.name}.d/zz-gapless-handover.conf"
            if not unit.main_pid and unit.host.files.exists(path):
                unit.host.files.remove(path)

    course.world.on_change(look)
    course.world.kill_controller = forget  # type: ignore[method-assign]


def _at(seconds: float, happening: Happening, dies: bool) -> Callable[[Course], None]:
    def plan(course: Course) -> None:
        (copies,) = course.copies.values()

        def now() -> None:
            happening(course, copies)
            if dies:
                course.kill_controller()

        asyncio.get_running_loop().call_later(seconds, now)

    return plan


def _seconds(course: Course) -> float:
    return max(event.ts for event in course.events) - min(event.ts for event in course.events)


def _ended(course: Course) -> Iterator[str]:
    if course.outcome not in ("done", "restored", "refused", "mixed"):
        yield f"ended as {course.outcomes}"


def _wrong(course: Course) -> Iterator[str]:
    """Of the copies: at every instant, and at the end."""
    # who kills the only copy that serves breaks the floor, and not we
    yield from [text for text in course.world.breaches if "the floor is" not in text][:3]
    for copies in course.copies.values():
        alive = [f"{copy.id} {copy.state} {copy.lock}" for copy in copies.alive.values()]
        active = [copy for copy in copies.alive.values() if copy.state == "ACTIVE"]
        if len(alive) != 1 or len(active) != 1:
            yield f"at the end: {alive}; {course.outcomes}"
        elif copies.written and (copies.written["phase"], active[0].lock) != ("done", False):
            yield f"at the end: phase {copies.written['phase']}, {alive}; {course.outcomes}"


def _unit(course: Course, slot: str):  # type: ignore[no-untyped-def]
    return next(unit for unit in course.world.units("s0") if unit.slot == slot)


def _calm() -> Scenario:
    """One host, a deploy, nothing that goes wrong by itself."""
    drawn = _handed_over(scenario(3))
    service = dataclasses.replace(
        drawn.services[0], hosts=("h1",), after=(), bad={}, order={}, canary=0, batch=1,
        on_failure="rollback", max_failed=0,
    )  # fmt: skip
    return dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=True
    )


def _handed_over(drawn: Scenario) -> Scenario:
    """Every service hands over; nothing sits in front of it."""
    services = tuple(_alone(service) for service in drawn.services)
    return dataclasses.replace(drawn, beside=True, strategy="handover", services=services)


def _alone(service: SimService) -> SimService:
    return dataclasses.replace(service, balanced=False)
