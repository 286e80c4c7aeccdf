"""The three troubles of a rolling restart of a cluster: the screen names causes and what to do."""

from __future__ import annotations

import dataclasses

import pytest

from gapless.render.result import render_report
from gapless.report.summarize import summarize
from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from tests.simulation.run import Course, play
from tests.simulation.test_followers_first import Happens, _calm, _later_behind

pytestmark = pytest.mark.sim


def _screen(course: Course) -> str:
    """As one line: it is wrapped."""
    return " ".join(render_report(summarize(course.plan, course.events)).split())


def _restarted(happens: Happens, **of_service: object) -> str:
    calm = _calm(happens)
    service = dataclasses.replace(calm.services[0], **of_service)  # type: ignore[arg-type]
    return _screen(run_virtual(play(dataclasses.replace(calm, services=(service,)))))


def test_a_transfer_that_is_not_taken_over() -> None:
    """One of the others is in sync and does nothing, another one is behind."""

    def stuck(course: Course) -> None:
        members = course.world.clusters["s0"]
        members.leaders = dict.fromkeys(members.leaders, "h1")
        members.stuck.add("h1")

    told = _restarted(stuck)
    assert "h1 during evacuate: it was not stopped: it leads 3 groups: g0, g1, g2" in told
    assert "g0: not taken over within 5 s; h2 is in sync, and did not take over" in told
    assert "on h2: systemctl status s0.service" in told
    assert "more time: cluster.transfer of s0 (5 s)" in told
    assert 'gapless restart s0 --hosts h1 --force --reason "..." stops it all the same' in told


def test_a_member_that_does_not_rejoin() -> None:
    told = _restarted(_later_behind("h1"))
    assert "h1 during rejoin: it did not rejoin: nothing moved for 5 s, it catches up" in told
    assert "3 of 3 members are well" in told
    assert "not-in-sync" not in told  # it is the one that is stopped: no other stands in its way
    assert "on h1: systemctl status s0.service" in told
    assert "gapless doctor --hosts h1,h2,h3 (connections and clocks)" in told
    assert "cluster.rejoin of s0 (5 s)" in told


def test_a_member_that_does_not_rejoin_because_of_its_clock_or_a_lost_quorum() -> None:
    def happens(course: Course) -> None:
        _later_behind("h1")(course)

        def once_it_was_stopped(_: object) -> None:
            if course.world.deeds("restart", host="h1"):
                course.world.hosts["h1"].clock_skew = 90.0
                course.world.clusters["s0"].behind.add("h3")

        course.world.on_change(once_it_was_stopped)

    told = _restarted(happens)
    assert "clock-skew: h1: its clock is 90 s ahead" in told
    assert "g0: 1 of 3 are in sync, and it takes 2" in told
    assert "not-in-sync: g0: 1 of 3 members are in sync; h3 is not" in told


def test_a_stop_that_takes_longer_than_it_should() -> None:
    """It goes on: the screen of success says so."""

    def slow(course: Course) -> None:
        unit = course.world.clusters["s0"].unit("h2")
        unit.behaviour = Behaviour(stop=50.0)

    told = _restarted(slow, cluster={"etcd": None, "chronik": {}})
    assert "it took 50 s to stop, and cluster.stop is 45 s" in told
    assert "requests under way that do not end (long polls, clients that hang)" in told
    assert "or more time: CHRONIK_DRAIN_TIMEOUT, TimeoutStopSec, cluster.stop" in told
    assert "0.1 s to stop" not in told


def test_where_nobody_says_how_long_a_stop_may_take_none_is_too_long() -> None:
    def slow(course: Course) -> None:
        course.world.clusters["s0"].unit("h2").behaviour = Behaviour(stop=50.0)

    assert "to stop" not in _restarted(slow)
