"""Several instances of a service on one host: what they are called, selected and planned by."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.source import Loaded, load_config
from gapless.errors import UsageError
from gapless.inventory import Inventory
from gapless.places import claim_name, machine_of, named_at, number_of, places_on
from gapless.planning import PlanOptions, make_plan
from gapless.planning.by_hand import plan_by_hand
from gapless.plans import Plan, Verb

SHOP = """\
project: shop
hosts: {app1: {groups: [app], zone: a}, app2: {groups: [app], zone: b}}
balancers:
  edge: {haproxy: {socket: /run/haproxy/admin.sock, backend: b, server: "{name}-{number}"}}
services:
  web:
    on: [app]
    systemd: {unit: "web@{number}", replicas: 3}
    health: {http: "http://{address}:80{number}1/health"}
    balancer: edge
    rollout: {max_unavailable: 50%}
  db:
    on: [app1]
    systemd: db
"""
ALL = ("app1/1", "app1/2", "app1/3", "app2/1", "app2/2", "app2/3")


@pytest.fixture
def shop(tmp_path: Path) -> Loaded:
    return load(tmp_path, SHOP)


def load(folder: Path, text: str) -> Loaded:
    file = folder / "gapless.yaml"
    file.write_text(text)
    return load_config(file)


def planned(shop: Loaded, hosts: str | None = None, **options: str | int) -> Plan:
    wish = PlanOptions(**options)  # type: ignore[arg-type]
    return make_plan(shop, verb=Verb.RESTART, services=("web",), hosts=hosts, options=wish)


def test_a_host_alone_is_its_first_place() -> None:
    assert places_on(("app1", "app2"), 1) == ("app1", "app2")
    assert places_on(("app1",), 2) == ("app1/1", "app1/2")
    assert [machine_of(place) for place in ("app1", "app1/12")] == ["app1", "app1"]
    assert [number_of(place) for place in ("app1", "app1/1", "app1/12")] == [1, 1, 12]


def test_the_first_keeps_its_name_when_there_are_more() -> None:
    assert claim_name("shop", "web", "app1") == claim_name("shop", "web", "app1/1") == "shop.web"
    assert claim_name("shop", "web", "app1/2") == "shop.web+2"
    assert named_at("web", "app1/3") == "web+3"


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("app1", ALL[:3]),
        ("app1/2", ("app1/2",)),
        ("app", ALL),
        ("app1/[1:2],app2/3", ("app1/1", "app1/2", "app2/3")),
        ("*/1", ("app1/1", "app2/1")),
        ("app,!app1/2", ("app1/1", "app1/3", *ALL[3:])),
        ("!app1", ALL[3:]),
        ("!app2/1", (*ALL[:3], *ALL[4:])),
    ],
)
def test_a_host_is_all_of_its_places(
    shop: Loaded, expression: str, chosen: tuple[str, ...]
) -> None:
    assert planned(shop, expression).service("web").hosts == chosen


def test_what_runs_once_on_a_host_is_not_at_one_of_its_places(shop: Loaded) -> None:
    plan = make_plan(shop, verb=Verb.RESTART, hosts="app1/2")
    assert [(service.name, service.hosts) for service in plan.services] == [("web", ("app1/2",))]
    assert Inventory(shop.project).machines("app1/2,app2") == ("app1", "app2")


def test_a_place_that_nobody_has_is_told_with_a_guess(shop: Loaded) -> None:
    with pytest.raises(UsageError) as caught:
        planned(shop, "app1/4")
    assert "did you mean 'app1/3'" in str(caught.value)


def test_shares_and_the_floor_are_of_instances(shop: Loaded) -> None:
    web = planned(shop, batch="34%").service("web")
    assert (web.total, web.floor) == (6, 3)
    assert [batch.hosts for batch in web.batches] == [ALL[:2], ALL[2:4], ALL[4:]]


def test_zones_are_those_of_the_hosts(tmp_path: Path) -> None:
    spread = SHOP.replace("{max_unavailable: 50%}", "{spread: zone, batch: 3, max_unavailable: 3}")
    web = planned(load(tmp_path, spread)).service("web")
    assert [batch.hosts for batch in web.batches] == [
        ("app1/1", "app2/1"),
        ("app1/2", "app2/2"),
        ("app1/3", "app2/3"),
    ]


def test_a_canary_is_a_host_or_one_of_its_places(tmp_path: Path, shop: Loaded) -> None:
    first = planned(shop, canary="app2/3").service("web").batches[0]
    assert (first.name, first.hosts) == ("canary1", ("app2/3",))
    named = load(tmp_path, SHOP.replace("{max_unavailable: 50%}", "{canary: [app2]}"))
    assert planned(named).service("web").hosts == (*ALL[3:], *ALL[:3])


def test_one_of_several_is_drained_by_hand(shop: Loaded) -> None:
    plan = plan_by_hand(shop, Verb.DRAIN, ["web@app1/2"])
    assert plan.service("web").hosts == ("app1/2",)
    assert plan_by_hand(shop, Verb.DRAIN, ["web@app1"]).service("web").hosts == ALL[:3]
