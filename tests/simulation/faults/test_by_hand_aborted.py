"""A drain or an admit by hand that stopped half-way is aborted: all is where it was before."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.model import Instance
from gapless.testing.faults import Fault, What
from tests.simulation.faults.shop import Shop
from tests.simulation.killing import ControllerKilled

HALF = "api@web[2:3]"
"""web2 is through with it when the controller dies, web3 is not."""


@pytest.fixture
def loose(shop: Shop) -> Shop:
    """Two of three may be out."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1, max_unavailable: 2}")
    shop.world._hooks.clear()
    shop.world.on_change(shop._note_lost)
    return shop


def killed_half_way(shop: Shop, verb: str, *more: str) -> None:
    """The controller dies when web2 is done, and web3 takes longer."""
    slow = Fault(What.SLOW, verb=verb, host="balancer:edge", about="web3", seconds=20.0)
    shop.world.faults.add(slow)
    finish: Any = SqliteJournal.finish

    def mortal(journal: SqliteJournal, rollout: str, key: str, *rest: Any) -> Any:
        told = finish(journal, rollout, key, *rest)
        if key.endswith("/web2/api/outcome"):
            shop.kill()
            raise ControllerKilled
        return told

    shop.patch.setattr(SqliteJournal, "finish", mortal)
    shop.killed(verb, HALF, *more)
    shop.rest()


def test_what_was_drained_is_back_in_traffic(loose: Shop) -> None:
    shop = loose
    killed_half_way(shop, "drain", "--reason", "new disk")
    assert "web2" not in shop.serving()
    ended = shop.gapless("abort", code=4)
    assert shop.serving() == ["web1", "web2", "web3"]
    assert "now api not touched: web2 web3" in ended.text
    assert "out of traffic" not in ended.text
    assert "to try again: gapless drain api@web2 api@web3" in ended.text
    assert shop.journal().locks() == []
    for host in ("web2", "web3"):
        assert not shop.host(host).memory["shop.api"].get("by_hand")
    shop.gapless("restart", "api", "--yes", code=0)
    assert shop.serving() == ["web1", "web2", "web3"]


def test_what_was_out_before_it_stays_out(loose: Shop) -> None:
    """Somebody else wants web2 out, for a reason of his own."""
    shop = loose
    shop.gapless("drain", "api@web2", "--reason", "new disk", code=0)
    killed_half_way(shop, "drain")
    shop.gapless("abort", code=4)
    assert shop.serving() == ["web1", "web3"]
    assert shop.host("web2").memory["shop.api"]["by_hand"]["reason"] == "new disk"


def test_what_fails_its_checks_by_now_is_not_let_in(loose: Shop) -> None:
    shop = loose
    killed_half_way(shop, "drain")
    shop.unit("web2").healthy = False
    ended = shop.gapless("abort", code=5)
    assert shop.serving() == ["web1", "web3"]
    assert "gapless admit api@web2" in ended.text
    assert shop.host("web2").memory["shop.api"]["by_hand"]
    shop.unit("web2").healthy = True
    shop.gapless("admit", "api@web2", code=0)
    assert shop.serving() == ["web1", "web2", "web3"]


def test_an_admit_is_taken_back_as_well(loose: Shop) -> None:
    shop = loose
    shop.gapless("drain", HALF, "--reason", "new disk", code=0)
    killed_half_way(shop, "admit")
    shop.gapless("abort", code=4)
    assert shop.serving() == ["web1"]
    for host in ("web2", "web3"):
        assert shop.host(host).memory["shop.api"]["by_hand"]["reason"] == "new disk"
    shop.gapless("admit", HALF, code=0)
    assert shop.serving() == ["web1", "web2", "web3"]


@pytest.mark.parametrize("step", ["undo-ready", "undo-admit"])
def test_an_abort_that_is_killed_is_finished_by_the_next(loose: Shop, step: str) -> None:
    shop = loose
    killed_half_way(shop, "drain")
    shop.kill_at(f"web2/api/{step}")
    shop.killed("abort")
    shop.rest()
    shop.gapless("abort", code=4)
    assert shop.serving() == ["web1", "web2", "web3"]


def test_an_abort_from_elsewhere_takes_back_what_came_through_meanwhile(loose: Shop) -> None:
    shop = loose
    slow = Fault(What.SLOW, verb="drain", host="balancer:edge", about="web3", seconds=20.0)
    shop.world.faults.add(slow)

    def abort() -> None:
        shop.journal().request(shop.last().id, "abort", "bob", shop.world.clock.now())

    shop.at("web3/api/drain", lambda: shop.loop.call_later(5.0, abort))
    ended = shop.gapless("drain", HALF, code=4)
    assert "aborted, asked for by bob" in ended.text
    assert shop.serving() == ["web1", "web2", "web3"]
    assert not any(shop.host(h).memory["shop.api"].get("by_hand") for h in ("web2", "web3"))


def test_the_second_abort_changes_nothing_more(loose: Shop) -> None:
    shop = loose
    killed_half_way(shop, "drain")
    shop.gapless("abort", code=4)
    shop.gapless("abort", shop.last().id, code=2)
    shop.gapless("drain", "api@web2", code=0)
    shop.world.traffic["edge"].put_back(Instance("api", "web2"))
    assert shop.host("web2").memory["shop.api"]["by_hand"]


def test_a_drain_that_ended_is_not_taken_back_but_admitted(loose: Shop) -> None:
    shop = loose
    shop.gapless("drain", HALF, code=0)
    assert "is over: done" in shop.gapless("abort", shop.last().id, code=2).text
    ended = shop.gapless("rollback", shop.last().id, "--yes", code=2)
    assert "it switched nothing" in ended.text
    assert "gapless admit api@web2 api@web3" in ended.text
    assert shop.serving() == ["web1"]


def test_an_admit_of_what_was_in_traffic_takes_nothing_out(loose: Shop) -> None:
    shop = loose
    killed_half_way(shop, "admit")
    shop.gapless("abort", code=4)
    assert shop.serving() == ["web1", "web2", "web3"]
