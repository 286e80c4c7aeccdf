"""Hosts that do not answer, units that are not there: said in the plan, and counted as out."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import HOSTS, Shop

FOREVER = 1e9


@pytest.mark.parametrize("verb", ["restart", "deploy"])
def test_the_plan_names_hosts_that_do_not_answer(shop: Shop, verb: str) -> None:
    shop.release("2")
    shop.host("web2").unreachable_until = FOREVER
    ended = shop.gapless("plan", verb, code=0)
    assert "2 instances on 2 hosts" in ended.text
    assert "not touched api web2: unreachable: no connection" in ended.text
    assert "refused as things are" in ended.text
    assert "no other instance may go out" in ended.text
    assert shop.changed() == []
    refused = shop.gapless(verb, "--yes", code=3)
    assert "api on web2 is not fit to be touched: no connection" in refused.text
    assert shop.changed() == []


def test_no_more_is_promised_than_what_is_there(shop: Shop) -> None:
    for host in ("web2", "web3"):
        shop.host(host).unreachable_until = FOREVER
    ended = shop.gapless("plan", "restart", code=0)
    assert "not touched api web2 web3: unreachable: no connection" in ended.text
    assert "at least 1 of 3 api serve" in ended.text


def test_the_plan_names_units_that_are_not_there(shop: Shop) -> None:
    shop.edit("systemd: api.service", "systemd: apii.service")
    ended = shop.gapless("plan", "restart", code=0)
    assert "api web[1:3]: missing: there is no such unit apii.service" in ended.text
    assert "0 instances on 0 hosts" in ended.text


def test_a_tolerated_host_is_told_with_its_own_error(shop: Shop) -> None:
    shop.edit("batch: 1}", "batch: 1, max_failed: 1, max_unavailable: 2}")
    shop.host("web2").unreachable_until = FOREVER
    plan = shop.gapless("plan", "restart", code=0)
    assert "max_failed: 1 allows it, and web2 (unreachable: no connection) counts as failed" in (
        plan.text
    )
    assert "it ends with exit code 5 even if all others succeed" in plan.text
    ended = shop.gapless("restart", "--yes", code=5)
    assert shop.last().outcome == "mixed"
    assert ended.text.startswith("✗ api on web2: no connection")
    assert "GL-502" in ended.text
    assert "Connection refused" in ended.text
    assert "unknown: web2" in ended.text
    assert "not begun" not in ended.text
    told = shop.events("rollout.failed")[-1].data["next"]
    assert told == "gapless doctor --hosts web2; then gapless restart api --hosts web2"
    assert shop.changed() == ["web1 restart", "web3 restart"]
    assert shop.lost == []


def test_a_host_that_is_back_since_the_plan_is_not_touched(shop: Shop) -> None:
    """What is carried out is what was read."""
    shop.host("web2").unreachable_until = FOREVER
    plan = str(shop.folder / "plan.json")
    shop.gapless("plan", "restart", "-o", plan, code=0)
    shop.host("web2").unreachable_until = 0.0
    ended = shop.gapless("restart", plan, "--yes", code=3)
    assert "when the plan was made it was unreachable: no connection" in ended.text
    assert shop.changed() == []
    assert shop.serving() == list(HOSTS)


def test_an_instance_that_is_sick_since_the_plan_is_told_as_well(shop: Shop) -> None:
    shop.edit("batch: 1}", "batch: 1, max_failed: 1, max_unavailable: 2}")
    plan = str(shop.folder / "plan.json")
    shop.gapless("plan", "restart", "-o", plan, code=0)
    shop.unit("web3").healthy = False
    ended = shop.gapless("restart", plan, "--yes", code=5)
    assert "✗ api on web3: http: 503" in ended.text
    assert "GL-202" in ended.text
    assert shop.changed() == ["web1 restart", "web2 restart"]
