"""A cluster that is not there yet, or down as a whole: nothing is begun, and what to do is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from gapless.clusters.topology import Topology
from gapless.errors import ClusterError
from gapless.testing.fake_cluster import FakeCluster
from gapless.testing.virtual_time import run_virtual
from tests.simulation.run import Course, play
from tests.simulation.scenario import scenario

pytestmark = pytest.mark.sim
HOSTS = ("h1", "h2", "h3")
BEGIN = "where no member of s0 runs: start it on all its hosts as its own manual says"


def refusal(down: Sequence[str], *, deploys: bool = False) -> str:
    """What to do next, where these members do not run."""
    drawn = scenario(3)
    service = dataclasses.replace(
        drawn.services[0], hosts=HOSTS, after=(), bad={}, balanced=False, batch=1, canary=0,
        max_unavailable=1, max_failed=0, on_failure="stop",
    )  # fmt: skip

    def happens(course: Course) -> None:
        for host in down:
            course.world.clusters["s0"].unit(host).power_off()

    calm = dataclasses.replace(
        drawn, services=(service,), faults=(), kills=(), abort=False, stop=0, deploys=deploys,
        strategy="followers-first", happens=happens, zones={},
    )  # fmt: skip
    course = run_virtual(play(calm))
    assert course.outcome == "refused"
    assert not course.world.deeds("restart", "stop", "start")
    (refused,) = [event.data for event in course.events if event.type == "rollout.refused"]
    return str(refused["next"])


@pytest.mark.parametrize("deploys", [False, True], ids=["restart", "deploy"])
def test_nothing_of_it_runs(deploys: bool) -> None:
    told = refusal(HOSTS, deploys=deploys)
    assert BEGIN in told
    assert "--force" not in told, "one member after the other would have nobody to join"


def test_one_of_it_does_not_run() -> None:
    assert BEGIN not in refusal(HOSTS[:1])


def test_its_programs_run_and_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(self: FakeCluster) -> Topology:
        raise ClusterError("nobody answers", next="look")

    monkeypatch.setattr(FakeCluster, "topology", silent)
    assert refusal(()).splitlines()[0] == "look"
    assert BEGIN in refusal(())
