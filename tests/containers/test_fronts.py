"""A compose service is rolled behind every balancer whose members may come and go."""

from __future__ import annotations

import pytest

from tests.lab.load import Load, Report

from .fronts import Caddy, Envoy, Front, Nginx, Traefik
from .shop import Shop

RATE = 50
"""Requests per second of each kind: new connections and kept alive, 100 in all."""
CHANGES = 3
"""Of the balancer in a rollout: it admits, drains and removes."""


def rolled(shop: Shop, front: Front) -> tuple[Report, Report, str]:
    """A deploy under load; what became of new connections and of kept ones, and its plan."""
    shop.behind(front)
    shop.run("deploy", "--yes", "--reason", "first")
    assert shop.answer() == "1"
    with (
        Load(front.url, rate=RATE, keep_alive=False) as new,
        Load(front.url, rate=RATE, keep_alive=True) as kept,
    ):
        shop.write(VERSION="2")
        plan = shop.run("plan", "deploy")
        shop.run("deploy", "--yes", "--reason", "second")
        assert shop.answer() == "2"
    assert len(shop.containers()) == 1
    assert new.report.sent > 100
    print(new.report.failed, kept.report.failed, "of", new.report.sent, kept.report.sent)
    return new.report, kept.report, plan


@pytest.mark.parametrize("kind", [Envoy, Traefik])
def test_nothing_is_lost_where_a_change_costs_nothing(shop: Shop, kind: type[Front]) -> None:
    new, kept, _ = rolled(shop, kind(shop.folder / "front"))
    assert (new.failed, kept.failed) == (0, 0), (new.errors[:5], kept.errors[:5])


def test_nginx_loses_kept_connections_and_no_others_as_the_plan_says(shop: Shop) -> None:
    front = Nginx(shop.folder / "front")
    new, kept, plan = rolled(shop, front)
    assert new.failed == 0, new.errors[:5]
    assert "resets idle keep-alive connections" in " ".join(plan.split())
    assert {error.status for error in kept.errors} <= {0}, "closed, and never an answer of 502"
    before = 1  # the first deploy
    assert front.reloads() == before + CHANGES


def test_caddy_closes_connections_in_a_reload_as_the_plan_says(shop: Shop) -> None:
    new, kept, plan = rolled(shop, Caddy(shop.folder / "front"))
    said = " ".join(plan.split())
    assert "resets idle keep-alive connections" in said
    assert "may lose a few connections that are just being opened" in said
    assert {error.status for error in (*new.errors, *kept.errors)} <= {0}, "never a 502"
    assert new.failed <= 2 * CHANGES, new.errors[:5]  # one a change; two where a machine is busy
