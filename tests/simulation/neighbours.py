"""Two clusters of three on the same three hosts, of which one is restarted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from gapless.testing.fake_cluster import FakeMembers
from tests.simulation.invariants import breaches
from tests.simulation.run import Course
from tests.simulation.scenario import Scenario, SimService, scenario

Happens = Callable[[Course], None]
HOSTS = ("h1", "h2", "h3")


def two(happens: Happens | None = None, *, asked: str = "s0", **cluster: Any) -> Scenario:
    """Two clusters of three on the same hosts, of which ``asked`` is restarted; ``cluster`` are
    more keys of that one. Nothing goes wrong by itself."""
    services = tuple(
        SimService(
            name,
            HOSTS,
            after=(),
            batch=1,
            canary=0,
            max_unavailable=1,
            max_failed=0,
            on_failure="stop",
            balanced=False,
            cluster=cluster if name == asked else {},
        )
        for name in ("s0", "s1")
    )
    return dataclasses.replace(
        scenario(3), services=services, strategy="followers-first", zones={}, faults=(), kills=(),
        abort=False, stop=0, deploys=False, happens=happens, asked=(asked,),
    )  # fmt: skip


def theirs(course: Course) -> FakeMembers:
    return course.world.clusters["s1"]


def watched(course: Course, led: list[str]) -> None:
    """Notes what the neighbour leads on a host while our member there is not running."""

    def look(_: object) -> None:
        ours = course.world.clusters["s0"]
        for host in HOSTS:
            if not ours.running(host) and course.world.deeds("restart", host=host):
                led.extend(g for g, leader in theirs(course).leaders.items() if leader == host)

    course.world.on_change(look)


def found(course: Course) -> list[str]:
    left = [
        f"{name}: what was ordered for {sorted(members.paused)} was left"
        for name, members in course.world.clusters.items()
        if members.paused
    ]
    return [*breaches(course), *left, *claimed(course)]


def claimed(course: Course) -> list[str]:
    """Which of the two is still owned, and where."""
    return [
        f"{name} is still claimed on {host}"
        for name in ("s0", "s1")
        for host in HOSTS
        if course.world.host(host).claims.holder(f"sim.{name}").holder is not None
    ]


def in_the_middle(course: Course) -> bool:
    return bool(course.world.deeds("restart", host="h1"))
