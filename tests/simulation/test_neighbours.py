"""Two clusters on the same hosts: a host is safe when both say so, and what the other one leads
there is moved away, too."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved
from gapless.errors import ClusterError
from gapless.model import Fence
from gapless.testing.fake_cluster import FakeCluster
from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from tests.simulation.neighbours import (
    HOSTS,
    Happens,
    found,
    theirs,
    two,
    watched,
)
from tests.simulation.run import Course, play

pytestmark = pytest.mark.sim


def test_what_a_neighbour_leads_is_moved_away_before_the_stop() -> None:
    led: list[str] = []
    course = run_virtual(play(two(lambda course: watched(course, led))))
    assert course.outcome == "done"
    assert not led
    assert theirs(course).moves
    assert not found(course)
    assert {deed.unit for deed in course.world.deeds("restart")} == {"s0.service"}
    moved = [e.data for e in course.events if e.step == "evacuate" and e.type == "step.succeeded"]
    assert any(data.get("beside") == {"s1": 1} for data in moved)


def test_what_was_moved_away_of_a_neighbour_comes_back_to_its_preferred_leaders() -> None:
    def preferred(course: Course) -> None:
        theirs(course).preferred = dict(theirs(course).leaders)

    course = run_virtual(play(two(preferred)))
    assert course.outcome == "done"
    assert not found(course)
    assert theirs(course).leaders == theirs(course).preferred
    assert len(theirs(course).moves) == 2 * len(HOSTS), "away once and back once"
    rejoined = [e.data for e in course.events if (e.type, e.step) == ("step.succeeded", "rejoin")]
    assert [data.get("again_beside") for data in rejoined] == [{"s1": 1}] * len(HOSTS)


def test_a_neighbour_that_is_not_led_from_there_again_undoes_nobody() -> None:
    """Whoever leads it instead lets nothing go."""

    def holds(course: Course) -> None:
        theirs(course).preferred = {"g0": "h1"}

        def when_one_is_restarted(_: object) -> None:
            leader = theirs(course).leaders["g0"]
            if course.world.deeds("restart", host="h1") and leader not in ("", "h1"):
                theirs(course).stuck.add(leader)

        course.world.on_change(when_one_is_restarted)

    course = run_virtual(play(two(holds)))
    assert not course.world.deeds("stop")
    warned = [e.data["why"] for e in course.events if e.type == "instance.warned"]
    assert warned == [
        "s1 on the same host does not lead again what it is the preferred leader of:"
        " g0: not taken over within 5 s"
    ]


def test_one_that_says_its_stop_touches_nothing_else_leaves_them() -> None:
    course = run_virtual(play(two(_behind("h2"), neighbours="leave")))
    assert course.outcome == "done"
    assert not theirs(course).moves


def test_a_neighbour_that_is_not_full_refuses_all() -> None:
    course = run_virtual(play(two(_behind("h2"))))
    assert course.outcome == "refused"
    assert not course.world.deeds("restart", "stop")
    (refused,) = [e.data for e in course.events if e.type == "rollout.refused"]
    assert "s1 on the same host: g0, g1, g2: 2 of 3 members are in sync" in str(refused)
    assert "cluster.neighbours: leave" in str(refused)


def test_a_neighbour_whose_leaderships_do_not_move_keeps_the_member() -> None:
    def stuck(course: Course) -> None:
        theirs(course).stuck.add("h1")

    course = run_virtual(play(two(stuck)))
    assert "h1" not in {deed.host for deed in course.world.deeds("restart", "stop")}
    (failed,) = [e.data for e in course.events if e.type == "step.failed"]
    assert "it was not stopped: it leads 1 group" in failed["what"]
    assert not found(course)


@pytest.mark.parametrize("happened", ["leads again", "quorum lost"])
def test_a_neighbour_is_looked_at_again_right_before_the_stop(
    happened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since h1 handed over, the neighbour leads there again, or cannot spare one there any more."""
    sealed, courses = FakeCluster.seal, []

    async def meanwhile(self: FakeCluster, member: str, fence: Fence | None) -> str:
        if member == "h1" and happened == "leads again":
            theirs(courses[0]).leaders["g1"] = "h1"
        elif member == "h1":
            theirs(courses[0]).behind.add("h2")
        return await sealed(self, member, fence)

    led: list[str] = []

    def watch(course: Course) -> None:
        courses.append(course)
        watched(course, led)

    monkeypatch.setattr(FakeCluster, "seal", meanwhile)
    course = run_virtual(play(two(watch)))
    assert not found(course)
    if happened == "leads again":
        assert course.outcome == "done"
        assert not led
        assert theirs(course).leaders["g1"] != "h1"
    else:
        assert not course.world.deeds("restart", "stop")
        failed = [e.data["error"] for e in course.events if e.type == "instance.failed"]
        assert "it was not stopped: s1 on the same host: g0: 1 of 3 would" in failed[0]["what"]


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "gone"])
def test_a_neighbour_that_lost_one_while_ours_handed_over_is_waited_for_and_then_spared(
    mended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has five members, so that there is a quorum without the two."""
    sealed, courses = FakeCluster.seal, []

    async def meanwhile(self: FakeCluster, member: str, fence: Fence | None) -> str:
        members = theirs(courses[0])
        if member == "h1" and self.name == "s0":
            members.behind.add("h5")
            if mended:
                now = asyncio.get_running_loop()
                now.call_later(1.0, members.behind.discard, "h5")
        return await sealed(self, member, fence)

    monkeypatch.setattr(FakeCluster, "seal", meanwhile)
    calm = two(courses.append)
    wide = dataclasses.replace(calm.services[1], hosts=(*HOSTS, "h4", "h5"))
    services = (calm.services[0], wide)
    course = run_virtual(play(dataclasses.replace(calm, services=services)))
    assert not found(course)
    if mended:
        assert course.outcome == "done", course.outcomes
        assert {deed.host for deed in course.world.deeds("restart")} == set(HOSTS)
    else:
        assert not course.world.deeds("restart", "stop")
        failed = [e.data["error"] for e in course.events if e.type == "instance.failed"]
        why = "it was not stopped: s1 on the same host: g0: 4 of 5 members are in sync; h5 is not"
        assert failed[0]["what"] == why


@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_what_a_cut_off_move_left_at_a_neighbour_is_taken_back_before_its_gates_are_asked(
    aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was ordered for its member there speaks against a stop until it is taken back."""
    topology, evacuate, restore = FakeCluster.topology, FakeCluster.evacuate, FakeCluster.restore
    killed: list[str] = []
    left: set[str] = set()

    async def cut_off(self: FakeCluster, member: str, *words: Any) -> tuple[Moved, ...]:
        moved = await evacuate(self, member, *words)
        if self.name == "s1" and not killed:
            killed.append(member)
            left.add(member)
            courses[0].kill_controller()
        return moved

    async def taken_back(self: FakeCluster, member: str, fence: Fence | None) -> None:
        await restore(self, member, fence)
        left.discard(member if self.name == "s1" else "")

    async def told(self: FakeCluster) -> Topology:
        seen, found = await topology(self), [Finding("half", one, "left") for one in sorted(left)]
        theirs = found if self.name == "s1" else []
        return dataclasses.replace(seen, findings=(*seen.findings, *theirs))

    monkeypatch.setattr(FakeCluster, "evacuate", cut_off)
    monkeypatch.setattr(FakeCluster, "restore", taken_back)
    monkeypatch.setattr(FakeCluster, "topology", told)
    courses: list[Course] = []
    calm = two(courses.append)
    course = run_virtual(play(dataclasses.replace(calm, abort=aborted)))
    assert killed
    assert not left
    assert not found(course)
    if aborted:
        assert course.outcome == "restored"
    else:
        assert course.outcomes == ["killed", "done"]
        assert sorted(deed.host for deed in course.world.deeds("restart")) == list(HOSTS)


def test_a_neighbour_that_suffers_is_seen_before_the_next_host() -> None:
    """Something of its goes with our member: it is not as it was, so this one has not rejoined."""

    def suffers(course: Course) -> None:
        def once_it_was_restarted(_: object) -> None:
            if course.world.deeds("restart", host="h1"):
                theirs(course).behind.add("h1")

        course.world.on_change(once_it_was_restarted)

    course = run_virtual(play(two(suffers)))
    assert {deed.host for deed in course.world.deeds("restart", "stop")} == {"h1"}
    failed = [e.data for e in course.events if e.type == "step.failed"]
    assert "s1 on the same host is not as it was: g0: 2 of 3 members" in failed[0]["what"]


def test_a_member_that_is_back_beside_a_neighbour_that_suffers_is_not_called_broken() -> None:
    """Another one of theirs goes while ours comes back: ours is well, and stays as it is."""

    def suffers(course: Course) -> None:
        def once_it_was_restarted(_: object) -> None:
            if course.world.deeds("restart", host="h1"):
                theirs(course).behind.add("h2")

        course.world.on_change(once_it_was_restarted)

    course = run_virtual(play(two(suffers)))
    assert [deed.host for deed in course.world.deeds("restart", "stop")] == ["h1"]
    (failed,) = [e.data for e in course.events if e.type == "instance.failed"]
    assert failed["outcome"] == "stayed"
    (ended,) = [e.data for e in course.events if e.type == "rollout.failed"]
    assert ended["exit_code"] == 5
    assert ended["serving"]["s0"]["h1"] == "restarted (way back held by others)"
    assert ended["next"] == "gapless status s0; then gapless restart s0"


def test_a_neighbour_that_was_down_before_does_not_make_ours_fail() -> None:
    """Its member there is down: that one may be stopped; when ours is back it is down as before."""

    def down(course: Course) -> None:
        theirs(course).unit("h2").power_off()

    course = run_virtual(play(dataclasses.replace(two(down), only="h2")))
    assert course.outcome == "done", course.outcomes
    assert [deed.host for deed in course.world.deeds("restart")] == ["h2"]


def test_both_restarted_go_one_after_the_other() -> None:
    both = dataclasses.replace(two(), asked=())
    course = run_virtual(play(both))
    assert course.outcome == "done"
    assert not found(course)
    units = [deed.unit for deed in course.world.deeds("restart")]
    assert units == ["s0.service"] * 3 + ["s1.service"] * 3


@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record(aborted: bool) -> None:
    calm = dataclasses.replace(two(), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    for number in range(2, records + 2):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not found(course), (number, committed, found(course))


def _behind(host: str) -> Happens:
    def happens(course: Course) -> None:
        theirs(course).behind.add(host)

    return happens


def test_what_was_ordered_of_a_neighbour_is_taken_back_though_a_view_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its cluster cannot be asked for two seconds after our member is back."""
    topology, silent_until = FakeCluster.topology, [0.0]

    async def sometimes(self: FakeCluster) -> Topology:
        now = self._world.clock.monotonic()
        if self.name == "s1" and self._world.deeds("restart", host="h1") and not silent_until[0]:
            silent_until[0] = now + 2.0
        if self.name == "s1" and now < silent_until[0]:
            raise ClusterError("nobody answers")
        return await topology(self)

    monkeypatch.setattr(FakeCluster, "topology", sometimes)
    course = run_virtual(play(two()))
    assert silent_until[0]
    assert course.outcome == "done", course.outcomes
    assert len(course.world.deeds("restart")) == 3, "nothing was taken back for that"
    assert not found(course)


def test_a_neighbour_that_cannot_be_asked_any_more_does_not_keep_ours_from_going_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our bad member broke it; that one goes back first."""
    topology = FakeCluster.topology

    async def broken_by_ours(self: FakeCluster) -> Topology:
        done = self._world.deeds("restart", host="h1")
        if self.name == "s1" and done and not self._world.deeds("stop", host="h1"):
            raise ClusterError("nobody answers")
        return await topology(self)

    monkeypatch.setattr(FakeCluster, "topology", broken_by_ours)
    calm = two()
    sick = dataclasses.replace(calm.services[0], bad={"h1": Behaviour(unhealthy_after=0.5)})
    course = run_virtual(play(dataclasses.replace(calm, services=(sick, calm.services[1]))))
    assert course.outcome == "restored", course.outcomes
    assert not found(course)


def test_its_own_cluster_is_looked_at_last_before_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a neighbour's leadership is moved once more, ours comes back to it."""
    evacuate, counted = FakeCluster.evacuate, []

    async def slowly(self: FakeCluster, member: str, *words: Any) -> tuple[Moved, ...]:
        moved = await evacuate(self, member, *words)
        if self.name == "s1" and member == "h1":
            counted.append(member)
            if len(counted) == 2:
                course_of[0].world.clusters["s0"].leaders["g2"] = "h1"
        return moved

    sealed, course_of = FakeCluster.seal, []

    async def again(self: FakeCluster, member: str, fence: Fence | None) -> str:
        if self.name == "s0" and member == "h1":
            theirs(course_of[0]).leaders["g1"] = "h1"
        return await sealed(self, member, fence)

    monkeypatch.setattr(FakeCluster, "evacuate", slowly)
    monkeypatch.setattr(FakeCluster, "seal", again)
    course = run_virtual(play(two(course_of.append)))
    assert len(counted) > 1
    assert course.outcome == "done", course.outcomes
    assert not found(course)
