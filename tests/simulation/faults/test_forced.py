"""What ``--force`` skips and what it keeps: the table of docs/how-to/force.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gapless.model import Command, Instance
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer, failed
from gapless.testing.fake_unit import HEALTHY, NEVER_READY
from tests.simulation.faults.fleet import TWENTY, failures, touched, versions
from tests.simulation.faults.shop import Shop
from tests.simulation.faults.test_schema_at_start import ONE, risen

CRASHES = replace(HEALTHY, crash_after=10.0)
FORCED = ("--force", "--reason", "fire")


async def _no(host: FakeHost, command: Command) -> Answer:
    return failed("no such table")


def fails_everywhere(shop: Shop, program: str) -> None:
    """From now on it only fails."""
    for host in TWENTY:
        shop.host(host).programs[program] = _no


def test_a_warm_up_that_is_required_is_required_with_force(fleet: Callable[..., Shop]) -> None:
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    fails_everywhere(shop, "heat")
    shop.gapless("deploy", "--yes", *FORCED, code=4)
    assert failures(shop) == [("web01", "warm")]
    shop.all_serve(old)


def test_verify_is_asked_with_force_but_not_before_traffic(fleet: Callable[..., Shop]) -> None:
    """Without, the same answer stops the admit behind it."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    fails_everywhere(shop, "look")
    shop.gapless("deploy", "--yes", code=4)
    assert failures(shop) == [("web01", "warm")], "nobody was let in"
    shop.gapless("deploy", "--yes", *FORCED, code=4)
    assert failures(shop) == [("web01", "verify")], "it was let in, and goes back"
    shop.all_serve(old)


def test_the_schema_guard_holds_with_force(shop: Shop) -> None:
    _, old = risen(shop, ONE, NEVER_READY)
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", *FORCED, code=3)
    assert f"an abort could not go back from schema 2 to {old}" in ended.text
    assert shop.changed() == []


def test_the_balancers_count_does_not_hold_with_force(shop: Shop) -> None:
    """web2 is fit, and somebody else has it out of traffic."""
    shop.world._hooks.clear()
    shop.world.traffic["edge"].take_out(Instance("api", "web2"))
    ended = shop.gapless("restart", "--yes", "--hosts", "web3", code=4)
    assert "edge reports 1 of the other instances up; the floor is 2" in ended.text
    assert touched(shop) == set()
    shop.gapless("restart", "--yes", "--hosts", "web3", *FORCED, code=0)
    assert touched(shop) == {"web3"}


def test_the_floor_holds_with_force_against_what_is_gone(shop: Shop) -> None:
    shop.host("web2").power_off()
    ended = shop.gapless("restart", "--yes", "--hosts", "!web2", *FORCED, code=3)
    assert "would leave 1 of 3 instances of api; the floor is 2" in ended.text
    assert shop.changed() == []


def test_what_is_only_sick_counts_as_serving_with_force(shop: Shop) -> None:
    """Nobody asks for its health: that is what was forced."""
    shop.world._hooks.clear()
    shop.unit("web2").healthy = False
    shop.gapless("restart", "--yes", "--hosts", "!web2", code=3)
    shop.gapless("restart", "--yes", "--hosts", "!web2", *FORCED, code=0)
    assert touched(shop) == {"web1", "web3"}


def test_the_soak_sees_a_crash_with_force(fleet: Callable[..., Shop]) -> None:
    shop = fleet()
    old = shop.live()[0]
    shop.bad_release(CRASHES)
    shop.gapless("deploy", "--yes", *FORCED, code=4)
    assert failures(shop) == [("web01", "soak")]
    assert versions(shop) == dict.fromkeys(TWENTY, old)
