"""A rollback is a plan like any other: it is shown, and does what was shown."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import Shop


def test_a_rollback_is_planned_and_does_what_it_says(shop: Shop) -> None:
    old = shop.live()[0]
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.world.history.clear()
    planned = shop.gapless("plan", "rollback", "api", code=0)
    assert f"{new} → {old}" in planned.text
    assert "Takes back 3 instances on 3 hosts" in planned.text
    assert shop.gapless("rollback", "api", "--dry-run", code=0).out == planned.out
    asked = shop.gapless("rollback", "api", "--hosts", "web1", code=2)
    assert "gapless rollback api --hosts web1 --yes" in asked.text
    assert shop.changed() == []
    shop.gapless("rollback", "api", "--yes", code=0)
    shop.all_serve(old)


def test_a_rollback_of_a_superseded_rollout_names_what_came_after(shop: Shop) -> None:
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    first = shop.last().id
    shop.release("3")
    shop.gapless("deploy", "--yes", code=0)
    second = shop.last().id
    shown = " ".join(shop.gapless("rollback", first, "--dry-run", code=0).text.split())
    assert f"api: deployed again since {first}, by {second}" in shown
    last = shop.gapless("rollback", second, "--dry-run", code=0)
    assert "deployed again" not in last.text


def test_a_rollback_while_a_rollout_is_paused_names_its_ways(shop: Shop) -> None:
    shop.release("good")
    shop.gapless("deploy", "--yes", code=0)
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", "--on-failure", "pause", code=7)
    paused = shop.last().id
    for target in ("api", paused):
        ended = shop.gapless("rollback", target, "--yes", code=6)
        assert f"api is locked: rollout {paused} is paused" in " ".join(ended.text.split())
        assert f"gapless promote {paused} or gapless abort {paused}" in ended.text


@pytest.mark.parametrize("verb", ["restart", "deploy", "rollback"])
def test_what_is_unknown_is_told_before_that_nobody_can_be_asked(shop: Shop, verb: str) -> None:
    ended = shop.gapless(verb, "nosuch", code=2)
    assert "nosuch" in ended.text
    assert "nobody can be asked" not in ended.text
    if verb != "rollback":
        assert "nosuch" in shop.gapless(verb, "--hosts", "nosuch", code=2).text
    assert "nobody can be asked" not in shop.gapless(verb, "-e", "nosuch", code=2).text
