"""A rollout that goes on takes the course it would have taken: what was judged stays judged, what a
person accepted stays accepted, and what was begun is never forgotten."""

from __future__ import annotations

import pytest

from gapless.drivers.transports.base import Claim
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS
from gapless.testing.virtual_time import run_virtual
from tests.simulation.faults.goes import Goes, at, ended, service

FOREVER = 1e9


@pytest.mark.parametrize("back", [True, False])
def test_an_abort_takes_back_what_depends_on_a_tolerated_loss(back: bool) -> None:
    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", max_failed=1, out=2), service("s1", "h4 h5", after="s0")
        )
        goes.world.host("h3").cut(FOREVER)
        stopped = await goes.go(stop=at("instance.done", host="h4"))
        assert ended(stopped) == ("interrupted", 130)
        assert goes.versions("s1") == ["v2", "v1"]
        if back:
            goes.world.host("h3").unreachable_until = 0.0
        aborted = await goes.abort()
        # a host that does not answer may be anything, so nobody says that all is as before
        assert ended(aborted) == (("restored", 4) if back else ("mixed", 5))
        assert goes.versions("s0") == ["v1"] * 3
        assert goes.versions("s1") == ["v1"] * 2
        assert aborted is not None
        assert aborted.serving["s1"]["h4"] == "no release (restored)"
        assert aborted.serving["s0"]["h3"] == ("not touched" if back else "unknown")

    run_virtual(course())


def test_a_host_that_was_given_up_is_not_begun_on_resume() -> None:
    """Its service had succeeded without it, and others were begun on the strength of that."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", max_failed=1, out=2), service("s1", "h4 h5", after="s0")
        )
        goes.world.host("h3").cut(FOREVER)
        await goes.go(kill=at("instance.done", host="h4"))
        goes.world.host("h3").unreachable_until = 0.0
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v2", "v2", "v1"]
        assert goes.versions("s1") == ["v2", "v2"]

    run_virtual(course())


def test_a_later_failure_elsewhere_does_not_judge_a_service_anew() -> None:
    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", max_failed=1, out=2, bad={"h1": NEVER_STARTS}),
            service("s1", "h4 h5", max_failed=1, bad={"h4": NEVER_READY}),
            service("s2", "h7 h8", after="s0"),
        )
        goes.world.host("h4").latency = 0.8  # so that it fails when the others are through
        assert await goes.go(kill=at("service.failed", service="s1")) is None
        assert goes.versions("s2") == ["v2", "v2"]
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v1", "v2", "v2"]
        assert goes.versions("s2") == ["v2", "v2"]
        failed = [event.service for event in goes.told if event.type == "service.failed"]
        assert failed == ["s1"]

    run_virtual(course())


def test_an_abort_takes_back_what_came_after_a_tolerated_failure() -> None:
    """Another service failed meanwhile: the total is too much for the first batch, now."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", max_failed=1, out=2, bad={"h1": NEVER_STARTS}),
            service("s1", "h4 h5", bad={"h4": NEVER_READY}),
        )
        assert await goes.go(kill=at("step.succeeded", host="h3", step="soak")) is None
        failed = [event.host for event in goes.journal.events() if event.type == "instance.failed"]
        assert failed == ["h1", "h4"]
        aborted = await goes.abort()
        assert ended(aborted) == ("restored", 4)
        assert goes.versions("s0") == ["v1"] * 3
        assert goes.versions("s1") == ["v1"] * 2

    run_virtual(course())


def waiting() -> Goes:
    return Goes(
        service("s0", "h1 h2 h3", on_failure="pause", bad={"h1": NEVER_READY}),
        service("s1", "h4 h5", after="s0"),
    )


@pytest.mark.parametrize("killed_at", [("s0", "h2"), ("s0", "h3"), ("s1", "h4")])
def test_what_was_promoted_stays_accepted_after_a_kill(killed_at: tuple[str, str]) -> None:
    async def course() -> None:
        name, host = killed_at
        goes = waiting()
        assert ended(await goes.go()) == ("paused", 7)
        assert await goes.go(kill=at("instance.done", service=name, host=host)) is None
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v1", "v2", "v2"]
        assert goes.versions("s1") == ["v2", "v2"]

    run_virtual(course())


@pytest.mark.parametrize("killed_at", [("s0", "h2"), ("s1", "h4")])
def test_a_promoted_rollout_that_was_killed_is_aborted(killed_at: tuple[str, str]) -> None:
    async def course() -> None:
        name, host = killed_at
        goes = waiting()
        assert ended(await goes.go()) == ("paused", 7)
        assert await goes.go(kill=at("instance.done", service=name, host=host)) is None
        assert ended(await goes.abort()) == ("restored", 4)
        assert goes.versions("s0") == ["v1"] * 3
        assert goes.versions("s1") == ["v1"] * 2

    run_virtual(course())


def test_promote_does_not_begin_again_what_was_taken_back() -> None:
    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3 h4", bad={"h2": NEVER_READY}),
            service("s1", "h5 h6", on_failure="pause", bad={"h5": NEVER_READY}),
            service("s2", "h7", after="s0"),
        )
        assert ended(await goes.go()) == ("paused", 7)
        assert goes.versions("s0") == ["v1"] * 4
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v1"] * 4
        assert goes.versions("s1") == ["v1", "v2"]
        assert goes.versions("s2") == ["v1"]

    run_virtual(course())


def test_promote_accepts_a_lost_host_of_the_same_batch() -> None:
    async def course() -> None:
        bad = {"h2": NEVER_READY}
        goes = Goes(
            service("s0", "h1 h2 h3 h4", batch=2, out=3, max_failed=1, on_failure="pause", bad=bad)
        )
        goes.world.host("h1").cut(FOREVER)
        assert ended(await goes.go()) == ("paused", 7)
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v1", "v1", "v2", "v2"]

    run_virtual(course())


def test_a_refused_resume_keeps_the_claims_of_what_is_half_done() -> None:
    async def course() -> None:
        goes = Goes(service("s0", "h1 h2 h3"))
        assert await goes.go(kill=at("instance.done", host="h1")) is None
        somebody = Claim("sim.s0", "other", "bob", "laptop", 1, 0.0, "hotfix")
        transport = goes.world.transport("h3")
        await transport.connect()
        await transport.claim(somebody, take_over=True)
        assert ended(await goes.go()) == ("mixed", 5)
        holders = [goes.world.host(host).claims.holder("sim.s0").holder for host in ("h1", "h2")]
        assert [held and held.rollout for held in holders] == [goes.rollout] * 2
        assert goes.told[-1].type == "rollout.interrupted"
        assert goes.told[-1].seq > 0

    run_virtual(course())


def test_an_abort_goes_on_after_a_rollback_that_was_interrupted() -> None:
    """The rollback was of one service; the abort is of all."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", bad={"h2": NEVER_STARTS}), service("s1", "h4", max_failed=1)
        )
        soak = at("step.started", host="h1", step="soak")
        assert await goes.go(kill=lambda e: e.rollout.endswith("-undo1") and soak(e)) is None
        assert goes.versions("s1") == ["v2"]
        assert ended(await goes.abort()) == ("restored", 4)
        assert goes.versions("s0") == ["v1"] * 3
        assert goes.versions("s1") == ["v1"]

    run_virtual(course())


def test_new_on_top_of_what_stayed_old_is_not_restored() -> None:
    """Its failure was tolerated, so what depends on it was begun."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1", max_failed=1, bad={"h1": NEVER_READY}),
            service("s1", "h2 h3", after="s0"),
        )
        assert ended(await goes.go()) == ("mixed", 5)
        assert goes.versions("s0") == ["v1"]
        assert goes.versions("s1") == ["v2", "v2"]

    run_virtual(course())
