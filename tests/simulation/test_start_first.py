"""Rollouts that start the new copy beside the old one: the same random faults and kills, and the
stronger promise that nothing which serves is ever taken away."""

from __future__ import annotations

import dataclasses
import os

import pytest

from gapless.testing.fake_unit import NEVER_READY, Behaviour
from gapless.testing.faults import Fault, What
from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, SimService, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 10
CHUNK = 250
STRATEGIES = ("start-first", "blue-green")

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("first", range(0, ROLLOUTS, CHUNK))
def test_random_rollouts_keep_every_promise(first: int, strategy: str) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        course = run_virtual(play(_beside(scenario(seed), strategy)))
        found += [f"seed {seed}: {text}" for text in breaches(course)]
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record(aborted: bool, strategy: str) -> None:
    """One copy of each, of one version, and never fewer in traffic than there are instances."""
    calm = dataclasses.replace(_calm(strategy), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    assert records > 20
    for number in range(2, records + 5):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not breaches(course), (number, committed, breaches(course))
            assert not course.world.breaches
            versions = {unit.version for unit in course.world.units("s0") if unit.running}
            wanted = {"v2"} if course.outcome == "done" else {"v1"}
            assert course.outcome in ("done", "restored", "refused"), course.outcomes
            assert versions == wanted, (number, committed, course.outcomes)


def test_clients_are_moved_before_anything_is_stopped() -> None:
    course = run_virtual(play(_calm()))
    assert course.outcome == "done"
    assert _deeds(course, "h1") == [
        "drain b",  # a balancer that knows its name would send requests before the gate
        "restart b",
        "admit b",
        "drain a",
        "stop a",
    ]


def test_its_member_goes_while_a_copy_ends() -> None:
    """Each takes 4 s, both take 4 s."""
    member = Fault(What.SLOW, verb="remove", host="balancer:lb-s0", seconds=4)
    copy = Fault(What.SLOW, verb="act", host="h1", about="stop", seconds=4)
    course = run_virtual(play(dataclasses.replace(_calm(), dynamic=True, faults=(member, copy))))
    assert course.outcome == "done"
    assert (member.struck, copy.struck) == (1, 1)
    assert not breaches(course)
    retired = [e for e in course.events if (e.type, e.step) == ("step.succeeded", "retire")]
    assert 4 < retired[0].data["seconds"] < 5


def test_a_member_that_stays_for_as_long_as_its_copy_lives_goes_after_it() -> None:
    refused = Fault(What.REFUSE, verb="remove", host="balancer:lb-s0", text="has connections")
    course = run_virtual(play(dataclasses.replace(_calm(), dynamic=True, faults=(refused,))))
    assert course.outcome == "done"
    assert refused.struck == 1
    assert not breaches(course)
    retried = [e for e in course.events if (e.type, e.step) == ("step.started", "retire")]
    assert [event.data["attempt"] for event in retried] == [1, 1, 1], "one for each host"


def test_the_way_back_begins_with_the_traffic() -> None:
    """A new copy that crashes in its soak: the old one is let in again before the new one ends."""
    calm = _calm()
    bad = dataclasses.replace(calm.services[0], bad={"h1": Behaviour(unhealthy_after=1.5)})
    course = run_virtual(play(dataclasses.replace(calm, services=(bad,))))
    assert course.outcome == "restored"
    assert not breaches(course)
    back = _deeds(course, "h1")
    assert back[:4] == ["drain b", "restart b", "admit b", "drain a"]
    assert back[4:] == ["admit a", "drain b", "stop b"]


def test_blue_green_switches_when_the_whole_set_is_ready() -> None:
    course = run_virtual(play(_calm("blue-green")))
    assert course.outcome == "done"
    every = course.world.deeds("admit", "drain", "restart", "stop")
    kinds = [f"{deed.what} {_copy(deed.unit)}" for deed in every]
    started = [number for number, kind in enumerate(kinds) if kind == "restart b"]
    admitted = [number for number, kind in enumerate(kinds) if kind == "admit b"]
    retired = [number for number, kind in enumerate(kinds) if kind == "stop a"]
    assert len(started) == len(admitted) == len(retired) == 3
    assert max(started) < min(admitted)
    assert max(number for number, kind in enumerate(kinds) if kind == "drain a") < min(retired)


def test_a_set_of_which_one_never_gets_ready_is_never_switched_to() -> None:
    calm = _calm("blue-green")
    bad = dataclasses.replace(calm.services[0], bad={"h2": NEVER_READY})
    course = run_virtual(play(dataclasses.replace(calm, services=(bad,))))
    assert course.outcome == "restored"
    assert not breaches(course)
    assert not course.world.deeds("admit")
    assert [_copy(deed.unit) for deed in course.world.deeds("stop")] == ["b", "b", "b"]


def test_one_that_goes_bad_in_its_soak_takes_the_whole_set_back_without_a_start() -> None:
    calm = _calm("blue-green")
    bad = dataclasses.replace(calm.services[0], bad={"h2": Behaviour(unhealthy_after=1.5)})
    course = run_virtual(play(dataclasses.replace(calm, services=(bad,))))
    assert course.outcome == "restored"
    assert not breaches(course)
    starts = course.world.deeds("restart", "start")
    assert [_copy(deed.unit) for deed in starts] == ["b", "b", "b"]
    for host in ("h1", "h2", "h3"):
        assert _deeds(course, host)[-3:] == ["admit a", "drain b", "stop b"]


def _calm(strategy: str = "start-first") -> Scenario:
    """Three hosts behind a balancer, a deploy, nothing that goes wrong by itself."""
    drawn = _beside(scenario(3), strategy)
    service = dataclasses.replace(
        drawn.services[0],
        hosts=("h1", "h2", "h3"),
        after=(),
        bad={},
        order={},
        balanced=True,
        canary=0,
        batch=3 if strategy == "blue-green" else 1,
        on_failure="rollback",
        max_failed=0,
    )
    return dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=True
    )


def _beside(drawn: Scenario, strategy: str) -> Scenario:
    """With two slots for each instance; a whole set is in one batch and behind a balancer."""
    services = drawn.services
    if strategy == "blue-green":
        services = tuple(_as_one_set(service) for service in services)
    return dataclasses.replace(drawn, beside=True, strategy=strategy, services=services)


def _as_one_set(service: SimService) -> SimService:
    every = len(service.hosts)
    return dataclasses.replace(service, canary=0, order={}, balanced=True, batch=every)


def _deeds(course: Course, host: str) -> list[str]:
    """What was done to the copies on a host, in its order."""
    every = course.world.deeds("drain", "admit", "restart", "start", "stop", host=host)
    return [f"{deed.what} {_copy(deed.unit)}" for deed in every]


def _copy(unit: str) -> str:
    """The slot of ``s0@a.service`` and ``s0/a@lb-s0``."""
    return unit.partition("/")[2][:1] or unit.partition("@")[2][:1]
