"""The floor counts what does not serve, also after a crash and after a failure."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import Shop
from tests.simulation.killing import ControllerKilled


def test_floor_after_a_resume_counts_untouched_hosts(shop: Shop) -> None:
    """web2 became sick and nobody asked for it: web1 may not go out when it is resumed."""

    def die() -> None:
        shop.unit("web2").healthy = False
        shop.kill()
        raise ControllerKilled

    shop.at("web1/api/preflight", die)
    shop.killed("restart", "api", "--hosts", "web1", "--yes")
    ended = shop.gapless("resume", code=4)
    assert "would leave 1 of 3 instances of api; the floor is 2" in ended.text
    assert shop.changed() == []


@pytest.mark.parametrize("how", ["sick", "gone"])
@pytest.mark.parametrize("resumed", [False, True])
def test_floor_counts_what_failed_before_it_was_touched(
    shop: Shop, how: str, resumed: bool
) -> None:
    """web1 fails its preflight and is tolerated: it does not serve, so web2 stays."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1, max_failed: 1}")

    def fail() -> None:
        if how == "sick":
            shop.unit("web1").healthy = False
        else:
            shop.host("web1").power_off()

    shop.at("web1/api/preflight", fail)
    if resumed:
        shop.kill_at("web2/api/preflight")
        shop.killed("restart", "api", "--yes")
        shop.gapless("resume", code=5)
    else:
        shop.gapless("restart", "api", "--yes", code=5)
    told = [e.data["error"]["what"] for e in shop.events("instance.failed") if e.host == "web2"]
    assert told == ["taking web2 out would leave 1 of 3 instances of api; the floor is 2"]
    assert [deed for deed in shop.changed() if not deed.startswith("web1")] == []
    assert shop.serving() == ["web2", "web3"]


def test_waiting_for_the_floor_is_no_part_of_the_time_an_instance_has(shop: Shop) -> None:
    """web3 is drained by hand, so web2 waits while web1 soaks; each alone is done in time."""
    shop.world._hooks.clear()
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 2, max_unavailable: 2}")
    shop.edit("soak: 30s", "soak: 10m")
    shop.gapless("drain", "api@web3", code=0)
    shop.world.on_change(shop._note_lost)
    name = shop.release("2")
    shop.gapless("deploy", "api", "--hosts", "web1,web2", "--yes", code=0)
    assert shop.live()[:2] == [name] * 2
    assert shop.lost == []
