"""Reading Caddy's answers, and its check as a question of our own, without one."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.balancers.caddy_check import interval, probe
from gapless.drivers.balancers.caddy_parking import added, back, parked, removed, without
from gapless.drivers.balancers.caddy_view import (
    Health,
    Load,
    NonsenseError,
    Proxy,
    health,
    loads,
    proxy,
)

HANDLER = {"handler": "reverse_proxy", "upstreams": [{"dial": "a:1"}, {"dial": "b:1"}]}


def test_a_handler() -> None:
    checks = {"active": {"uri": "/h"}, "passive": {"fail_duration": "30s", "max_fails": 3}}
    found = proxy('"/x 1"', {**HANDLER, "health_checks": checks, "transport": {"tls": {}}})
    assert found.dials == ("a:1", "b:1") and found.etag == '"/x 1"' and found.secure
    assert found.most_fails == 3 and found.active == {"uri": "/h"}
    assert proxy("x", {**HANDLER, "upstreams": None}).dials == ()
    assert proxy("x", HANDLER).most_fails is None
    assert proxy("x", {**HANDLER, "dynamic_upstreams": {"source": "srv"}}).dynamic


@pytest.mark.parametrize(
    ("etag", "data"),
    [
        ("x", None),
        ("x", []),
        ("x", {"handler": "file_server"}),
        (None, HANDLER),
        ("x", {**HANDLER, "upstreams": ["a:1"]}),
        ("x", {**HANDLER, "upstreams": {"dial": "a:1"}}),
        ("x", {**HANDLER, "health_checks": "yes"}),
        ("x", {**HANDLER, "handle_response": [{"match": {"status_code": [999]}, "routes": [1]}]}),
    ],
)
def test_what_is_no_handler(etag: str | None, data: Any) -> None:
    with pytest.raises(NonsenseError):
        proxy(etag, data)


def test_one_address_of_several_handlers_is_one_load() -> None:
    """Newer Caddys tell an address once for each way its health is checked."""
    told = [
        {"address": "a:1", "num_requests": 2, "fails": 0, "health_check": "x"},
        {"address": "b:1", "num_requests": 1, "fails": 0},
        {"address": "a:1", "num_requests": 3, "fails": 2},
    ]
    assert loads(told) == {"a:1": Load(5, 2), "b:1": Load(1, 0)}
    assert loads(None) == loads([]) == {}


@pytest.mark.parametrize("data", ["x", {"a": 1}, [1], [{"address": "a:1"}], [{"num_requests": 1}]])
def test_what_is_no_load(data: Any) -> None:
    with pytest.raises(NonsenseError):
        loads(data)


def test_the_metrics_that_matter() -> None:
    text = """\
# TYPE caddy_reverse_proxy_upstreams_healthy gauge
caddy_reverse_proxy_upstreams_healthy{upstream="a:1"} 1
caddy_reverse_proxy_upstreams_healthy{upstream="b:1"} 0
caddy_reverse_proxy_upstreams_healthy{handler="x",upstream="c:1"} 1
caddy_reverse_proxy_upstreams_healthy{handler="y",upstream="c:1"} 0
caddy_admin_http_requests_total{code="200",path="/x"} 3
process_start_time_seconds 1.79e+09
"""
    assert health(text) == Health("1.79e+09", {"a:1": True, "b:1": False, "c:1": False})
    with pytest.raises(NonsenseError):
        health("xyzzy")


@pytest.mark.parametrize(
    ("active", "url", "more"),
    [
        ({"uri": "/health?x=1"}, "http://a:1/health?x=1", {}),
        ({"path": "/old"}, "http://a:1/old", {}),
        ({"uri": "/h", "port": 99}, "http://a:99/h", {}),
        ({"uri": "/h", "upstream": "c:7"}, "http://c:7/h", {}),
        ({"uri": "/h", "method": "HEAD"}, "http://a:1/h", {"method": "HEAD"}),
        ({"uri": "/h", "headers": {"X": ["1", "2"]}}, "http://a:1/h", {"headers": {"X": "1, 2"}}),
        ({"uri": "/h", "expect_status": 2}, "http://a:1/h", {"expect": {"status": ["2xx"]}}),
        ({"uri": "/h", "expect_status": 204}, "http://a:1/h", {"expect": {"status": ["204"]}}),
        (
            {"uri": "/h", "expect_body": "ok"},
            "http://a:1/h",
            {"expect": {"status": ["200-399"], "body": "ok"}},
        ),
    ],
)
def test_caddys_check_as_a_question(active: Any, url: str, more: Any) -> None:
    found = probe(Proxy("x", active=active), "a:1")
    assert found is not None and found.kind == "http"
    usual = {"url": url, "method": "GET", "headers": {}, "expect": {"status": ["200-399"]}}
    assert found.spec == {**usual, **more}


@pytest.mark.parametrize(
    ("proxied", "dial"),
    [
        (Proxy("x"), "a:1"),
        (Proxy("x", active={"uri": "/h"}), "unix//run/x.sock"),
        (Proxy("x", active={"uri": "/{env.X}"}), "a:1"),
        (Proxy("x", active={"uri": "/h"}, secure=True), "a:1"),
    ],
)
def test_what_cannot_be_asked_in_caddys_place(proxied: Proxy, dial: str) -> None:
    assert probe(proxied, dial) is None


MINE = {"match": {"status_code": [404]}, "routes": []}


def test_parked_and_back_is_as_it_was() -> None:
    before = {"@id": "shop", **HANDLER, "handle_response": [MINE]}
    before["upstreams"] = [{"dial": "a:1", "max_requests": 2}, {"dial": "b:1"}, {"dial": "a:1"}]
    out = without(before, "a:1", "/id/shop")
    assert out["upstreams"] == [{"dial": "b:1"}] and parked(out) == ("a:1", "a:1")
    assert out["handle_response"][0] == MINE and parked(before) == ()
    names = [route["@id"] for route in out["handle_response"][1]["routes"]]
    assert len(set(names)) == 2 and all("/" not in name for name in names)
    both = without(out, "b:1", "/id/shop")
    assert both["upstreams"] == [] and parked(both) == ("a:1", "a:1", "b:1")
    assert back(back(both, "b:1", "/id/shop"), "a:1", "/id/shop") == before
    assert without(without(before, "a:1", "/x"), "a:1", "/x")["upstreams"] == [{"dial": "b:1"}]


def test_what_comes_is_parked_and_what_goes_was() -> None:
    handler = {**HANDLER, "upstreams": [{"dial": "b:1"}], "handle_response": [MINE]}
    out = added(handler, "a:1", "/x")
    assert out["upstreams"] == [{"dial": "b:1"}] and parked(out) == ("a:1",)
    assert back(out, "a:1", "/x")["upstreams"] == [{"dial": "b:1"}, {"dial": "a:1"}]
    assert removed(out, "a:1", "/x") == handler and removed(out, "b:1", "/x") == out


def test_what_was_added_again_by_hand_is_not_doubled() -> None:
    out = without(HANDLER, "a:1", "/x")
    again = {**out, "upstreams": [{"dial": "b:1"}, {"dial": "a:1"}]}
    assert back(without(again, "a:1", "/x"), "a:1", "/x") == {
        **HANDLER,
        "upstreams": again["upstreams"],
    }


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("100ms", 0.1), ("1m30s", 90.0), ("1.5s", 1.5), (2_000_000_000, 2.0), (None, 30.0), (0, 30.0)],
)
def test_how_often_caddy_asks(written: Any, seconds: float) -> None:
    assert interval(Proxy("x", active={"interval": written})) == pytest.approx(seconds)
