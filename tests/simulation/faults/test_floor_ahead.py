"""A floor that cannot be held is known before the first change, and refused then (exit code 3)."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import Shop

WOULD_LEAVE = "would leave 1 of 3 instances of api; the floor is 2"


def unharmed(shop: Shop) -> bool:
    """Whether nothing was staged, switched or left locked."""
    steps = [event.step for event in shop.events("step.started")]
    return shop.changed() == [] and steps == [] and shop.journal().locks() == []


@pytest.mark.parametrize("verb", ["restart", "deploy"])
@pytest.mark.parametrize("how", ["sick", "gone"])
def test_a_host_left_out_counts(shop: Shop, verb: str, how: str) -> None:
    """web2 is out: no other may go, so that leaving it out does not help."""
    shop.release("2")
    if how == "sick":
        shop.unit("web2").healthy = False
    else:
        shop.host("web2").power_off()
    ended = shop.gapless(verb, "api", "--hosts", "!web2", "--yes", code=3)
    assert "GL-204" in ended.text
    assert WOULD_LEAVE in ended.text
    assert "broken or unreachable: web2" in ended.text
    assert "Nothing was changed." in ended.text
    assert unharmed(shop)
    assert shop.last().outcome == "refused"


@pytest.mark.parametrize("how", ["sick", "gone"])
def test_a_tolerated_host_counts(shop: Shop, how: str) -> None:
    """web3 may fail by max_failed; the floor has no room for another all the same."""
    if how == "sick":
        shop.unit("web3").healthy = False
    else:
        shop.host("web3").power_off()
    ended = shop.gapless("restart", "api", "--max-failed", "1", "--yes", code=3)
    assert "GL-204" in ended.text
    assert unharmed(shop)


def test_a_sick_instance_that_is_replaced_makes_room(shop: Shop) -> None:
    """A forced restart mends web1 first; then the floor has room for the others."""
    shop.unit("web1").healthy = False
    shop.gapless("restart", "api", "--force", "--reason", "wakes it", "--yes", code=0)


def test_a_rollout_that_changed_nothing_says_just_that(shop: Shop) -> None:
    """web1 becomes sick after the examination, right before it would be touched: nobody is out of
    order because of gapless, and there is nothing to take back."""
    name = shop.release("2")
    seen = shop.last().id

    def fail() -> None:
        shop.unit("web1").healthy = False

    def mend() -> None:
        shop.unit("web1").healthy = True

    shop.at("web1/api/preflight", fail)
    shop.edit("retry_delay: 500ms", "retry_delay: 100ms")
    ended = shop.gapless("deploy", "api", "--yes", code=5)
    assert "gapless rollback" not in ended.text
    mend()
    assert shop.last().id != seen
    ended = shop.gapless("rollback", shop.last().id, "--yes", code=2)
    assert "it switched nothing" in ended.text
    assert "restart of the same release" not in ended.text
    assert name not in shop.live()


def test_a_lost_host_is_as_before_where_nothing_was_changed(shop: Shop) -> None:
    """web3 is gone from the beginning and tolerated; no disk has room for the new release."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 1, batch: 1, max_unavailable: 2, max_failed: 1}")
    shop.world.hold_floor("api", least=1)
    shop.release("2")
    shop.host("web3").power_off()

    def fill() -> None:
        shop.host("web1").files.full = True

    shop.at("web1/api/stage", fill)
    ended = shop.gapless("deploy", "api", "--yes", code=4)
    assert "before anything of api that runs was changed" in ended.text
    assert "a person is needed" not in ended.text
    assert shop.changed() == []
