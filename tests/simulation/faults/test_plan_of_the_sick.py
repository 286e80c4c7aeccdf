"""A plan asks what the rollout will ask: it promises nothing that would be refused."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import HOSTS, Shop


@pytest.mark.parametrize("verb", ["restart", "deploy"])
@pytest.mark.parametrize("how", ["unhealthy", "stopped"])
def test_the_plan_says_that_a_sick_instance_refuses_it(shop: Shop, verb: str, how: str) -> None:
    shop.release("2")
    if how == "unhealthy":
        shop.unit("web2").healthy = False
    else:
        shop.do(shop.unit("web2").stop())
        shop.world.history.clear()
    ended = shop.gapless("plan", verb, code=0)
    assert "refused as things are: web2 (" in ended.text
    assert "Refused as things are, before anything is changed" in ended.text
    assert shop.changed() == []
    shop.gapless("plan", verb, "--exit-code", code=3)
    shop.gapless("plan", verb, "--exit-code", "--force", "--reason", "it hangs", code=10)
    shop.gapless(verb, "--yes", code=3)


def test_a_sick_instance_that_is_left_out_leaves_no_room(shop: Shop) -> None:
    shop.unit("web2").healthy = False
    ended = shop.gapless("plan", "restart", "--hosts", "!web2", code=0)
    assert "is not fit and left alone" in ended.text
    assert "refused as things are: no other instance may go out" in ended.text


def test_a_forced_plan_asks_for_no_health(shop: Shop) -> None:
    shop.unit("web2").healthy = False
    ended = shop.gapless("plan", "restart", "--force", "--reason", "it hangs", code=0)
    assert "efused as things are" not in ended.text


def test_a_plan_that_can_touch_nobody_promises_nothing(shop: Shop) -> None:
    for host in HOSTS:
        shop.host(host).power_off()
    ended = shop.gapless("plan", "restart", code=0)
    assert "Refused as things are, before anything is changed" in ended.text
    assert "Restarts 0 instances" not in ended.text
    assert "goes back" not in ended.text


def test_a_plan_kept_in_a_file_is_carried_out_once_it_is_mended(shop: Shop) -> None:
    """What was sick is part of the plan: a person mends it, and what was read is done."""
    shop.unit("web2").healthy = False
    shop.gapless("plan", "restart", "-o", "plan.json", code=0)
    shop.unit("web2").healthy = True
    shop.gapless("restart", "plan.json", "--yes", code=0)


def test_a_forced_restart_does_not_say_that_it_is_ready(shop: Shop) -> None:
    words = ("restart", "--force", "--reason", "x", "--yes", "--progress", "plain")
    ended = shop.gapless(*words, code=0)
    assert "web1 api running (no health asked)" in ended.text
    assert "web1 api ready" not in ended.text
