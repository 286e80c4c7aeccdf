"""A wall clock is wrong, or is set in the middle: nothing waits and nothing is decided by it."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import NEVER_READY, Behaviour
from tests.simulation.faults.local import Local
from tests.simulation.faults.shop import HOSTS, Shop

pytestmark = pytest.mark.real

HOUR = 3600.0
STEPPED = pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
STEPS = pytest.mark.parametrize("step", ["drain", "switch", "ready", "soak"])


def set_clocks(shop: Shop, who: str, seconds: float) -> None:
    """An hour is added to or taken from the clock of the controller, or of every host."""
    if who == "controller":
        shop.step_clock(seconds)
    else:
        for host in HOSTS:
            shop.host(host).step_clock(seconds)


@STEPS
@STEPPED
@pytest.mark.parametrize("who", ["controller", "hosts"])
def test_clock_stepped_in_the_middle(shop: Shop, who: str, seconds: float, step: str) -> None:
    new = shop.release("2")
    shop.at(step, lambda: set_clocks(shop, who, seconds))
    began = shop.loop.time()
    ended = shop.gapless("deploy", "--yes", code=0)
    assert 90 < shop.loop.time() - began < 110, "three soaks of 30 s: no longer and no shorter"
    assert shop.last().outcome == "done"
    assert "Deployed api: 3 instances" in ended.text
    shop.rest()
    assert shop.changed() == [f"{host} restart" for host in HOSTS]
    shop.all_serve(new)
    shop.world.check()


@STEPPED
@pytest.mark.parametrize("who", ["controller", "hosts"])
def test_clock_stepped_while_a_new_copy_fails(shop: Shop, who: str, seconds: float) -> None:
    (old, *_) = shop.live()
    shop.bad_release(NEVER_READY)
    shop.at("ready", lambda: set_clocks(shop, who, seconds))
    began = shop.loop.time()
    ended = shop.gapless("deploy", "--yes", code=4)
    assert 50 < shop.loop.time() - began < 60, "20 s of patience, 30 s of soak on the way back"
    assert shop.last().outcome == "restored"
    assert "not ready after 20 s" in ended.text
    shop.rest()
    shop.all_serve(old)
    shop.world.check()


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_clock_of_the_target_is_wrong(shop: Shop, seconds: float) -> None:
    """The last words of the new copy are those since the switch by the clock of the host."""
    (old, *_) = shop.live()
    shop.host("web1").step_clock(seconds)
    shop.unit("web1").say("words of the old copy")
    shop.rest()
    shop.bad_release(Behaviour(healthy_after=None, says=(b"cannot bind to port 8000",)))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert shop.last().outcome == "restored"
    assert "cannot bind to port 8000" in ended.text, "the evidence is lost"
    assert "words of the old copy" not in ended.text
    shop.rest()
    shop.all_serve(old)
    shop.world.check()


@STEPPED
def test_clock_of_the_target_stepped_in_a_critical_action(local: Local, seconds: float) -> None:
    """A real host-side helper, whose wall clock is set while a migration of 60 s at most runs."""
    before = local.live()
    local.release(migrate=f"echo {seconds} > '{local.folder}/clock'; sleep 2; echo migrated")
    told = local.deploy(code=0)
    assert told.report["outcome"] == "done"
    assert "migration done" in told.text
    assert local.live() != before
    assert local.identity()


def test_clock_set_back_between_two_rollouts(shop: Shop) -> None:
    """The newest rollout is the one that came last, whatever it says of its time."""
    second = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.step_clock(-HOUR)
    shop.release("3")
    shop.gapless("deploy", "--yes", code=0)
    shop.gapless("rollback", "api", "--yes", code=0)
    shop.rest()
    shop.all_serve(second)
