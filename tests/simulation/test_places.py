"""Several instances of a service on one host: the same random faults and kills, in places that
share a machine, a connection and a reboot."""

from __future__ import annotations

import dataclasses
import os

import pytest

from gapless.places import machine_of
from gapless.testing.virtual_time import run_virtual
from tests.simulation.invariants import breaches
from tests.simulation.run import play
from tests.simulation.scenario import Scenario, SimService, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 40
CHUNK = 250
STRATEGIES = ("rolling", "start-first", "blue-green")

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("first", range(0, ROLLOUTS, CHUNK))
def test_random_rollouts_keep_every_promise(first: int, strategy: str) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        course = run_virtual(play(_crowded(scenario(seed), strategy)))
        found += [f"seed {seed}: {text}" for text in breaches(course)]
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("aborted", [False, True], ids=["resumed", "aborted"])
def test_a_controller_killed_at_every_record(aborted: bool, strategy: str) -> None:
    """Three instances on one host, as many as before, each in one slot, and all restarted or
    none of them new."""
    calm = dataclasses.replace(_calm(strategy), abort=aborted)
    records = len(run_virtual(play(calm)).journal.events())
    assert records > 20
    for number in range(2, records + 5):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not breaches(course), (number, committed, breaches(course))
            running = [unit for unit in course.world.units("s0") if unit.running]
            assert sorted(unit.place for unit in running) == ["h1/1", "h1/2", "h1/3"]
            assert course.outcome in ("done", "restored", "refused"), course.outcomes


def test_each_instance_is_claimed_and_told_apart_in_its_balancer() -> None:
    course = run_virtual(play(_calm("start-first")))
    assert course.outcome == "done"
    assert course.plan.service("s0").hosts == ("h1/1", "h1/2", "h1/3")
    deeds = course.world.deeds("admit", "drain", "stop")
    assert [f"{deed.what} {deed.host}" for deed in deeds if deed.host == "h1/2"] == [
        "drain h1/2", "admit h1/2", "drain h1/2", "stop h1/2",
    ]  # fmt: skip
    claimed = {service for _, _, verb, service in course.world.calls if verb == "claim"}
    assert claimed == {"sim.s0", "sim.s0+2", "sim.s0+3"}


def _calm(strategy: str) -> Scenario:
    """Three on one host behind a balancer, and nothing that goes wrong by itself."""
    drawn = scenario(3)
    service = dataclasses.replace(
        drawn.services[0], hosts=("h1", "h2", "h3"), after=(), bad={}, balanced=True,
        canary=0, batch=1, max_unavailable=1, on_failure="rollback", max_failed=0,
    )  # fmt: skip
    calm = dataclasses.replace(drawn, services=(service,), faults=(), kills=(), abort=False, stop=0)
    return _crowded(calm, strategy)


def _crowded(drawn: Scenario, strategy: str) -> Scenario:
    """Every second or later instance moves to the first host, or a half of four to the second."""
    services = tuple(_together(service, strategy) for service in drawn.services)
    faults = tuple(
        dataclasses.replace(fault, host="h1") if fault.host.startswith("h") else fault
        for fault in drawn.faults
    )
    beside = strategy != "rolling"
    return dataclasses.replace(
        drawn, services=services, faults=faults, deploys=False, beside=beside, strategy=strategy
    )


def _together(service: SimService, strategy: str) -> SimService:
    count = len(service.hosts)
    hosts = ("h1", "h2") if count == 4 else ("h1",)
    crowded = dataclasses.replace(service, hosts=hosts, replicas=count // len(hosts), order={})
    where = dict(zip(service.hosts, crowded.places, strict=True))
    bad = {where[host]: behaviour for host, behaviour in service.bad.items()}
    assert {machine_of(place) for place in crowded.places} == {*hosts}
    if strategy == "blue-green":
        crowded = dataclasses.replace(crowded, canary=0, balanced=True, batch=count)
    return dataclasses.replace(crowded, bad=bad)
