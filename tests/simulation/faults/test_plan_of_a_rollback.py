"""A rollback is a plan like any other: it is shown, and does what was shown."""

from __future__ import annotations

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
