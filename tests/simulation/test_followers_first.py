"""Members of a cluster restarted in rounds, with random faults and kills: nobody is
stopped while it leads, no quorum is given up, and what was ordered for a restart is taken back."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved
from gapless.model import Fence
from gapless.testing.fake_cluster import FakeCluster, FakeMembers
from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, SimService, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 40
CHUNK = 125

pytestmark = pytest.mark.sim
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


def test_a_move_that_was_cut_off_is_waited_for_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The controller dies when the first leadership is half moved: the cluster needs four seconds
    to be of one mind again."""
    evacuated, topology = FakeCluster.evacuate, FakeCluster.topology
    killed: list[float] = []  # until when it is divided
    courses: list[Course] = []

    async def cut_off(self: FakeCluster, *words: Any) -> tuple[Moved, ...]:
        if not killed:
            killed.append(math.inf)
            courses[0].kill_controller()
            await asyncio.sleep(1000)
        return await evacuated(self, *words)

    async def divided(self: FakeCluster) -> Topology:
        whole = await topology(self)
        now = self._world.clock.monotonic()
        if killed and now < killed[0]:
            killed[:] = [now + 4.0] if killed[0] == math.inf else killed
            return dataclasses.replace(whole, findings=(Finding("two", "h1", "two lead"),))
        return whole

    monkeypatch.setattr(FakeCluster, "evacuate", cut_off)
    monkeypatch.setattr(FakeCluster, "topology", divided)
    course = run_virtual(play(_calm(courses.append)))
    assert killed
    assert course.outcomes == ["killed", "done"]
    assert not _breaches(course)


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


@pytest.mark.parametrize(("times", "ends"), [(2, "done"), (1000, "restored")])
def test_a_leadership_that_comes_back_is_moved_again_while_there_is_time(
    times: int, ends: str
) -> None:
    """Somebody else moves it, or an election does."""

    def bounces(course: Course) -> None:
        course.world.clusters["s0"].bouncing["g0"] = times

    course = run_virtual(play(_calm(bounces)))
    assert course.outcome == ends
    assert not _breaches(course)
    left = course.world.clusters["s0"].bouncing["g0"]
    assert left in (0, times - 10), "each half second, for 5 s"


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


def _as_before(course: Course) -> None:
    """Each group has a preferred leader: the one that it has."""
    members = course.world.clusters["s0"]
    members.preferred = dict(members.leaders)


def test_leaders_are_where_they_are_preferred() -> None:
    """Each group goes away once and comes back once."""
    course = run_virtual(play(_calm(_as_before)))
    assert course.outcome == "done" and not _breaches(course)
    members = course.world.clusters["s0"]
    assert members.leaders == members.preferred
    assert len(members.moves) == 6
    again = [e.data for e in course.events if e.type == "step.succeeded" and e.step == "rejoin"]
    assert [data["again"] for data in again] == [1, 1, 1]
    assert {name: one["leads"] for name, one in again[-1]["members"].items()} == dict.fromkeys(
        ("h1", "h2", "h3"), 1
    )


def test_a_leader_that_does_not_come_back_undoes_nobody() -> None:
    """The one that leads instead lets nothing go."""

    def holds(course: Course) -> None:
        members = course.world.clusters["s0"]
        members.preferred = {"g0": "h1"}

        def when_one_is_restarted(_: object) -> None:
            if course.world.deeds("restart", host="h1") and members.leaders["g0"] not in ("", "h1"):
                members.stuck.add(members.leaders["g0"])

        course.world.on_change(when_one_is_restarted)

    course = run_virtual(play(_calm(holds)))
    assert not course.world.deeds("stop")
    warned = [e.data["why"] for e in course.events if e.type == "instance.warned"]
    assert warned == [
        "it does not lead again what it is the preferred leader of: g0: not taken over within 5 s"
    ]
    done = [e.host for e in course.events if e.type == "instance.done"]
    assert "h1" in done


@pytest.mark.parametrize("committed", [False, True])
def test_a_controller_killed_while_leaders_come_back(committed: bool) -> None:
    calm = _calm(_as_before)
    records = len(run_virtual(play(calm)).journal.events())
    for number in range(2, records + 5, 4):
        course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
        assert not _breaches(course), (number, _breaches(course))
        members = course.world.clusters["s0"]
        assert course.outcome == "done" and members.leaders == members.preferred, number


def test_a_clock_that_is_wrong_refuses_all() -> None:
    def wrong(course: Course) -> None:
        course.world.hosts["h2"].clock_skew = 7.0

    course = run_virtual(play(_calm(wrong)))
    assert course.outcome == "refused"
    assert not course.world.deeds("restart", "stop")
    refused = next(e for e in course.events if e.type == "rollout.refused")
    assert "clock-skew: h2: its clock is 7 s ahead of that of h" in str(refused.data)


def test_a_clock_that_goes_wrong_meanwhile_keeps_the_next_one_running() -> None:
    def wrong(course: Course) -> None:
        def when_one_is_restarted(_: object) -> None:
            if course.world.deeds("restart"):
                course.world.hosts["h3"].clock_skew = -2.0

        course.world.on_change(when_one_is_restarted)

    course = run_virtual(play(_calm(wrong)))
    assert not _breaches(course)
    assert len(course.world.deeds("restart")) == 1
    failed = [e.data for e in course.events if e.type == "step.failed"]
    assert failed[0]["evidence"].startswith("clock-skew: h3: its clock is 2 s behind")


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


def test_those_that_share_no_group_go_together() -> None:
    """Six members, groups of three: a round has two that no group has both of."""
    course = run_virtual(play(_six()))
    assert course.outcome == "done"
    assert not _breaches(course)
    assert sorted(map(sorted, _rounds(course))) == [["h1", "h4"], ["h2", "h5"], ["h3", "h6"]]


def test_without_a_reserve_a_group_of_five_gives_two() -> None:
    five = dataclasses.replace(_six(replicas=5).services[0], hosts=("h1", "h2", "h3", "h4", "h5"))
    for reserve, wanted in ((1, 5), (0, 3)):
        own = dataclasses.replace(five, cluster={"reserve": reserve})
        course = run_virtual(play(dataclasses.replace(_six(replicas=5), services=(own,))))
        assert course.outcome == "done"
        assert not _breaches(course)
        assert len(_rounds(course)) == wanted


def test_rounds_are_worked_out_anew_after_each() -> None:
    """After the first round h2 never catches up again by itself: nobody of its groups may go, and
    the gates say so before anything is touched."""

    def falls_behind(course: Course) -> None:
        def after_the_first(_: object) -> None:
            if {d.host for d in course.world.deeds("restart")} >= {"h1", "h4"}:
                course.world.clusters["s0"].behind.add("h2")

        course.world.on_change(after_the_first)

    course = run_virtual(play(_six(falls_behind)))
    assert not _breaches(course)
    touched = {deed.host for deed in course.world.deeds("restart", "stop")}
    assert touched == {"h1", "h4"}
    failed = [e.data for e in course.events if e.type == "step.failed"]
    assert failed and all("h2" in str(one) for one in failed)


@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record_of_rounds(aborted: bool) -> None:
    calm = dataclasses.replace(_six(), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    for number in range(2, records + 5, 3):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not _breaches(course), (number, committed, _breaches(course))
            wanted = ("restored", "done", "refused") if aborted else ("done",)
            assert course.outcome in wanted, (number, committed, course.outcomes)


def test_a_quorum_that_was_lost_meanwhile_keeps_the_next_one_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """h2 is out of sync when h1 has handed over, right before that one is to be stopped."""
    sealed = FakeCluster.seal

    async def falls_behind(self: FakeCluster, member: str, fence: Fence | None) -> str:
        if member == "h1":
            self._members.behind.add("h2")
        return await sealed(self, member, fence)

    monkeypatch.setattr(FakeCluster, "seal", falls_behind)
    course = run_virtual(play(_calm()))
    assert not _breaches(course)
    assert not course.world.deeds("restart", "stop")
    failed = [e.data["error"] for e in course.events if e.type == "instance.failed"]
    assert failed[0]["what"].startswith("it was not stopped: g0: 1 of 3 would be left")


def test_a_follower_that_is_not_back_behind_the_new_leader_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """h2 is out of sync for a while when h1 has handed over: h1 serves until h2 is back."""
    sealed, stopped = FakeCluster.seal, []

    async def falls_behind(self: FakeCluster, member: str, fence: Fence | None) -> str:
        if member == "h1":
            self._members.behind.add("h2")
            asyncio.get_running_loop().call_later(4.0, self._members.behind.discard, "h2")
        return await sealed(self, member, fence)

    def watched(course: Course) -> None:
        members = course.world.clusters["s0"]

        def look(_: object) -> None:
            if course.world.deeds("restart", host="h1") and not stopped:
                stopped.append("h2" in members.behind)

        course.world.on_change(look)

    monkeypatch.setattr(FakeCluster, "seal", falls_behind)
    course = run_virtual(play(_calm(watched)))
    assert not _breaches(course)
    assert course.outcome == "done"
    assert stopped == [False]


def _six(happens: Happens | None = None, replicas: int = 3) -> Scenario:
    """Six members in six groups, up to three at once."""

    def spread(course: Course) -> None:
        _spread(course.world.clusters["s0"], replicas)
        if happens is not None:
            happens(course)

    calm = _calm(spread)
    hosts = tuple(f"h{number}" for number in range(1, 7))
    own = dataclasses.replace(calm.services[0], hosts=hosts, batch=3, max_unavailable=3)
    return dataclasses.replace(calm, services=(own,))


def _rounds(course: Course) -> list[set[str]]:
    return [set(e.data["hosts"]) for e in course.events if e.type == "batch.started"]


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
    """Each service is a cluster of three to six, some of which go several at once; some never let a
    leadership go."""
    chance = random.Random(f"cluster {seed}")
    services = tuple(_a_cluster(service, chance) for service in drawn.services)

    def happens(course: Course) -> None:
        for service in services:
            members = course.world.clusters[service.name]
            if service.batch > 1:
                _spread(members, 3)
            members.catch_up = chance.choice((0.0, 0.5, 3.0))
            if chance.random() < 0.1:
                members.stuck.add(chance.choice(members.units).place)

    return dataclasses.replace(
        drawn, services=services, strategy="followers-first", zones={}, happens=happens
    )


def _a_cluster(service: SimService, chance: random.Random) -> SimService:
    size, batch = chance.choice(((3, 1), (3, 1), (5, 1), (6, 2), (6, 3)))
    return dataclasses.replace(
        service,
        hosts=tuple(f"h{number}" for number in range(1, size + 1)),
        canary=0, batch=batch, order={}, max_unavailable=batch,
        on_failure=chance.choice(("stop", "pause")),
    )  # fmt: skip


def _spread(members: FakeMembers, replicas: int) -> None:
    """As many groups as members, each with so many of them."""
    members.replicas = replicas
    members.leaders = {f"g{n}": unit.place for n, unit in enumerate(members.units)}
