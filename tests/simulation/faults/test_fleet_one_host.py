"""One host of twenty fails, at each step: what was touched goes back, or all the others go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.faults.fleet import (
    ONE,
    STEPS,
    TOUCHED,
    TWENTY,
    fail_at,
    failures,
    touched,
    versions,
)  # fmt: skip
from tests.simulation.faults.shop import Shop


def in_order(shop: Shop, step: str) -> None:
    """The floor was held, nothing is locked or half staged, and no request was lost but those of a
    crash in traffic, which nobody can know before it happens."""
    shop.world.check()
    assert set(shop.lost) == ({ONE} if step == "soak" else set())
    assert shop.journal().locks() == []
    assert shop.leftovers() == []


@pytest.mark.parametrize("step", STEPS)
def test_all_that_was_touched_goes_back(fleet: Callable[..., Shop], step: str) -> None:
    shop = fleet()
    old, new = shop.live()[0], shop.release("2")
    fail_at(shop, step, new)
    ended = shop.gapless("deploy", "--yes", code=4)
    shop.rest()
    assert failures(shop) == [(ONE, step)]
    assert versions(shop) == dict.fromkeys(TWENTY, old)
    assert shop.live() == [old] * len(TWENTY)
    assert touched(shop) == set(TOUCHED) - ({ONE} if step in ("stage", "drain") else set())
    assert f"left api web[11:20]: not begun ({ONE}: " in ended.text
    in_order(shop, step)


@pytest.mark.parametrize("step", STEPS)
def test_the_others_go_on_where_one_may_fail(fleet: Callable[..., Shop], step: str) -> None:
    shop = fleet("max_failed: 1")
    old, new = shop.live()[0], shop.release("2")
    fail_at(shop, step, new)
    ended = shop.gapless("deploy", "--yes", code=5)
    shop.rest()
    assert failures(shop) == [(ONE, step)]
    assert versions(shop) == {**dict.fromkeys(TWENTY, new), ONE: old}
    assert f"{new}: web[01:06] web[08:20] {old}: {ONE}" in ended.text
    in_order(shop, step)
