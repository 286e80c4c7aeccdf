"""The controller is killed in the middle of an abort: the next one brings all hosts back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.faults.configured import kill_at_write, until_killed
from tests.simulation.faults.fleet import TWENTY, touched, versions
from tests.simulation.faults.shop import HOSTS, Shop

WRITES = range(1, 60, 2)
"""Every second write to the journal of an abort that takes two hosts back."""


def half_way(shop: Shop, step: str) -> str:
    """A deploy whose controller was killed there; the release before."""
    (old, *_) = shop.live()
    shop.release("2")
    shop.kill_at(step)
    shop.killed("deploy", "--yes")
    shop.rest()
    return old


def abort(shop: Shop) -> None:
    """Nobody is asked anything. One that died right behind its last word has nothing left to do."""
    rollouts = shop.journal().rollouts(1, unfinished=True)
    if rollouts:
        shop.gapless("abort", code=4)
    assert shop.journal().rollouts(1, unfinished=True) == []


@pytest.mark.parametrize("number", WRITES)
def test_controller_killed_in_the_middle_of_an_abort(shop: Shop, number: int) -> None:
    old = half_way(shop, "web2/api/soak")
    kill_at_write(shop, number, committed=number % 4 == 1)
    until_killed(shop, "abort", code=4)
    shop.rest()
    abort(shop)
    shop.rest()
    assert {host: shop.unit(host).version for host in HOSTS} == dict.fromkeys(HOSTS, old)
    shop.all_serve(old)
    stops = [deed.host for deed in shop.world.deeds("stop")]
    assert sorted(stops) == ["web1", "web2"], "taken back once each"
    shop.world.check()


@pytest.mark.parametrize("number", [2, 75, 200])
def test_abort_of_a_fleet_whose_controller_is_killed(
    fleet: Callable[..., Shop], number: int
) -> None:
    """Eight hosts are new, or in work, when it is aborted; the others are never touched."""
    shop = fleet()
    old = half_way(shop, "web08/api/ready")
    kill_at_write(shop, number, committed=True)
    assert until_killed(shop, "abort", code=4), "it ended before"
    shop.rest()
    abort(shop)
    assert versions(shop) == dict.fromkeys(TWENTY, old)
    assert touched(shop) <= set(TWENTY[:10])
    shop.all_serve(old)
    shop.world.check()
