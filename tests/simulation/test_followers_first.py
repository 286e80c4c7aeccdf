"""Members of a cluster restarted one after the other, with random faults and kills: nobody is
stopped while it leads, no quorum is given up, and what was ordered for a restart is taken back."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable

import pytest

from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 40
CHUNK = 125

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]
Happens = Callable[[Course], None]


@pytest.mark.parametrize("first", range(0, ROLLOUTS, CHUNK))
def test_random_rollouts_keep_every_promise(first: int) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        course = run_virtual(play(_clustered(scenario(seed), seed)))
        found += [f"seed {seed}: {text}" for text in _breaches(course)]
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record(aborted: bool) -> None:
    calm = dataclasses.replace(_calm(), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    assert records > 20
    for number in range(2, records + 5):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not _breaches(course), (number, committed, _breaches(course))
            wanted = ("restored", "done", "refused") if aborted else ("done",)
            assert course.outcome in wanted, (number, committed, course.outcomes)


def test_followers_go_first_and_leaders_move_to_who_was_restarted() -> None:
    """Three groups led by three members: four moves, where the members' own order needs six."""
    course = run_virtual(play(_calm()))
    assert course.outcome == "done"
    assert not _breaches(course)
    moves = course.world.clusters["s0"].moves
    assert len(moves) <= 4
    restarted = [deed.host for deed in course.world.deeds("restart")]
    assert sorted(restarted) == ["h1", "h2", "h3"]


def test_who_leads_most_goes_last() -> None:
    def one_leads_all(course: Course) -> None:
        members = course.world.clusters["s0"]
        members.leaders = dict.fromkeys(members.leaders, "h1")

    course = run_virtual(play(_calm(one_leads_all)))
    assert [deed.host for deed in course.world.deeds("restart")] == ["h2", "h3", "h1"]
    assert not _breaches(course)


def test_leaderships_that_do_not_move_stop_the_rollout_before_the_member_is_stopped() -> None:
    def stuck(course: Course) -> None:
        members = course.world.clusters["s0"]
        members.leaders = dict.fromkeys(members.leaders, "h1")
        members.stuck.add("h1")

    course = run_virtual(play(_calm(stuck)))
    assert not _breaches(course)
    assert [deed.host for deed in course.world.deeds("restart")] == ["h2", "h3"]
    failed = [e.data for e in course.events if e.type == "step.failed"]
    assert "it was not stopped: it leads 3 groups" in failed[0]["what"]
    assert "not taken over within 5 s" in failed[0]["evidence"]


def test_a_member_that_does_not_come_back_in_sync_is_the_last_that_is_touched() -> None:
    course = run_virtual(play(_calm(_later_behind("h1"))))
    assert not _breaches(course)
    assert {deed.host for deed in course.world.deeds("restart", "stop")} == {"h1"}
    failed = [e.data for e in course.events if e.type == "step.failed"]
    assert failed[0]["what"].startswith("it did not rejoin: nothing moved for 5 s")
    assert course.outcome in ("mixed", "restored")


def test_one_that_is_taken_back_leads_nothing_then_either() -> None:
    """It is sick in its soak, when it has rejoined and leads again."""

    def leads_again(course: Course) -> None:
        members = course.world.clusters["s0"]

        def once_it_was_restarted(_: object) -> None:
            unit = members.units[0]
            if course.world.deeds("restart", host="h1") and not unit.healthy and unit.running:
                members.leaders = dict.fromkeys(members.leaders, "h1")

        course.world.on_change(once_it_was_restarted)

    calm = _calm(leads_again)
    sick = dataclasses.replace(calm.services[0], bad={"h1": Behaviour(unhealthy_after=2.5)})
    course = run_virtual(play(dataclasses.replace(calm, services=(sick,))))
    assert not _breaches(course)
    assert course.outcome == "restored"
    assert [deed.what for deed in course.world.deeds("restart", "stop", host="h1")] == [
        "restart", "stop",
    ]  # fmt: skip
    kinds = [e.step for e in course.events if e.type == "step.succeeded" and e.host == "h1"]
    assert kinds.count("rejoin") == 2


def test_one_that_is_not_in_sync_before_refuses_all() -> None:
    def behind(course: Course) -> None:
        course.world.clusters["s0"].behind.add("h2")

    course = run_virtual(play(_calm(behind)))
    assert course.outcome == "refused"
    assert not course.world.deeds("restart", "stop")
    refused = next(e for e in course.events if e.type == "rollout.refused")
    assert "2 of 3 members are in sync" in str(refused.data)


def test_leaders_that_move_by_themselves_are_seen_before_the_next() -> None:
    """h3 is announced last; when h1 is done it is h2 that leads."""

    def moves(course: Course) -> None:
        members = course.world.clusters["s0"]
        members.leaders = dict.fromkeys(members.leaders, "h3")

        def when_one_is_restarted(_: object) -> None:
            if len(course.world.deeds("restart")) == 1 and "h3" in members.leaders.values():
                members.leaders = dict.fromkeys(members.leaders, "h2")

        course.world.on_change(when_one_is_restarted)

    course = run_virtual(play(_calm(moves)))
    assert [deed.host for deed in course.world.deeds("restart")] == ["h1", "h3", "h2"]
    assert [e.data["hosts"] for e in course.events if e.type == "service.reordered"] == [
        ["h3", "h2"]
    ]
    assert not _breaches(course)


def _later_behind(host: str) -> Happens:
    """It is in sync until it is restarted, and then never again."""

    def happens(course: Course) -> None:
        members = course.world.clusters["s0"]

        def once_it_was_stopped(_: object) -> None:
            if course.world.deeds("restart", host=host):
                members.behind.add(host)

        course.world.on_change(once_it_was_stopped)

    return happens


def _breaches(course: Course) -> list[str]:
    found = breaches(course)
    for name, members in course.world.clusters.items():
        if members.paused and course.outcome not in ("mixed", "lock_held"):
            found.append(f"{name}: what was ordered for {sorted(members.paused)} was left")
        forward = [d.host for d in course.world.deeds("restart") if d.unit.startswith(name)]
        if not course.scenario.reboots and len(forward) != len(set(forward)):
            found.append(f"{name}: restarted twice: {forward}")
    return found


def _calm(happens: Happens | None = None) -> Scenario:
    """A cluster of three, a restart, nothing that goes wrong by itself."""
    drawn = _clustered(scenario(3), 3)
    service = dataclasses.replace(
        drawn.services[0], hosts=("h1", "h2", "h3"), after=(), bad={}, balanced=False,
        max_unavailable=1, max_failed=0, on_failure="stop",
    )  # fmt: skip
    return dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=False,
        happens=happens,
    )  # fmt: skip


def _clustered(drawn: Scenario, seed: int) -> Scenario:
    """Each service is a cluster of three or five; some never let a leadership go."""
    chance = random.Random(f"cluster {seed}")
    services = tuple(
        dataclasses.replace(
            service,
            hosts=tuple(f"h{number}" for number in range(1, chance.choice((3, 3, 5)) + 1)),
            canary=0, batch=1, order={}, max_unavailable=1,
            on_failure=chance.choice(("stop", "pause")),
        )
        for service in drawn.services
    )  # fmt: skip

    def happens(course: Course) -> None:
        for members in course.world.clusters.values():
            members.catch_up = chance.choice((0.0, 0.5, 3.0))
            if chance.random() < 0.1:
                members.stuck.add(chance.choice(members.units).place)

    return dataclasses.replace(
        drawn, services=services, strategy="followers-first", zones={}, happens=happens
    )
