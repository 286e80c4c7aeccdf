"""What Traefik's API says, and what its file holds."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.balancers import traefik_check, traefik_servers, traefik_view
from gapless.drivers.balancers.traefik_view import NonsenseError
from gapless.drivers.balancers.yaml_places import UnreadableError

ANSWER: dict[str, Any] = {
    "loadBalancer": {
        "servers": [{"url": "http://a", "weight": -3}, {"url": "http://b"}],
        "strategy": "wrr",
        "healthCheck": {"interval": "1m30s", "timeout": "500ms"},
    },
    "status": "enabled",
    "serverStatus": {"http://a": "UP", "http://b": "DOWN"},
}


def test_a_service_is_read() -> None:
    service = traefik_view.service(ANSWER)
    out, down = service.servers.values()
    assert (out.url, out.weight, out.out, out.status) == ("http://a", -3, True, "UP")
    assert (down.url, down.weight, down.out, down.status) == ("http://b", 1, False, "DOWN")
    assert service.window == 90.5 and not service.wrong and service.heeds_weights
    assert str(out) == "http://a weight -3, UP"


def checked(url: str = "http://a:8080", **check: Any) -> Any:
    balancer = {**ANSWER["loadBalancer"], "healthCheck": check}
    return traefik_check.probe(traefik_view.service({**ANSWER, "loadBalancer": balancer}), url)


def test_its_check_is_asked_in_its_place() -> None:
    probe = checked(path="/health?x=1", timeout="500ms", headers={"X": "y"}, port=81)
    assert (probe.kind, probe.answer) == ("http", 0.5)
    assert probe.spec == {
        "url": "http://a:81/health?x=1",
        "method": "GET",
        "headers": {"X": "y"},
        "expect": {"status": ["200-399"]},
    }
    one = checked("http://[fd00::1]:80", path="up", status=204, method="HEAD")
    assert one.spec["url"] == "http://[fd00::1]:80/up" and one.spec["method"] == "HEAD"
    assert one.spec["expect"] == {"status": ["204"]} and one.answer == 5.0
    assert checked("http://a", path="/").spec["url"] == "http://a:80/"


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"path": "/", "mode": "grpc"},
        {"path": "/", "scheme": "https"},
        {"path": "/", "hostname": "shop.example"},
        {"interval": "1s"},
    ],
)
def test_what_cannot_be_asked_from_here_is_not(check: Any) -> None:
    assert checked(**check) is None
    assert checked("https://a", path="/") is None


def test_without_checks_no_status_means_anything() -> None:
    """Traefik says UP of servers that nobody checks."""
    balancer = {k: v for k, v in ANSWER["loadBalancer"].items() if k != "healthCheck"}
    service = traefik_view.service({**ANSWER, "loadBalancer": balancer})
    assert service.window is None
    assert {server.status for server in service.servers.values()} == {""}


def test_a_weight_takes_nothing_out_of_p2c() -> None:
    for strategy, heeds in (("wrr", True), ("hrw", True), ("leasttime", True), ("p2c", False)):
        balancer = {**ANSWER["loadBalancer"], "strategy": strategy}
        assert traefik_view.service({**ANSWER, "loadBalancer": balancer}).heeds_weights is heeds


def test_what_traefik_finds_wrong_is_told() -> None:
    service = traefik_view.service({**ANSWER, "status": "disabled", "error": ["no such thing"]})
    assert service.wrong == "disabled, no such thing"


def test_a_process_is_at_least_as_old_as_told() -> None:
    answer = {"startDate": "2026-01-02T03:04:05.754247354Z"}
    process = traefik_view.process(answer, "Fri, 02 Jan 2026 03:04:10 GMT")
    assert process.life == answer["startDate"] and process.age == pytest.approx(4.245753)
    answer = {"startDate": "2026-01-02T04:04:05+01:00"}
    assert traefik_view.process(answer, "Fri, 02 Jan 2026 03:04:10 GMT").age == 5.0


@pytest.mark.parametrize(
    ("duration", "seconds"), [("1m30s", 90), ("500ms", 0.5), ("1.5s", 1.5), ("1h0m0s", 3600)]
)
def test_durations_are_those_of_go(duration: str, seconds: float) -> None:
    assert traefik_view.seconds(duration) == seconds


@pytest.mark.parametrize("answer", [None, [], {}, "xyzzy", {"loadBalancer": []}])
def test_everything_else_is_nonsense(answer: Any) -> None:
    with pytest.raises(NonsenseError):
        traefik_view.service(answer)
    with pytest.raises(NonsenseError):
        traefik_view.process(answer, "Fri, 02 Jan 2026 03:04:10 GMT")


@pytest.mark.parametrize("facts", [{"interval": "soon"}, {"timeout": "5"}, {"timeout": 5}])
def test_a_duration_that_cannot_be_read_is_nonsense(facts: dict[str, Any]) -> None:
    balancer = {**ANSWER["loadBalancer"], "healthCheck": facts}
    with pytest.raises(NonsenseError):
        traefik_view.service({**ANSWER, "loadBalancer": balancer})
    for date in (None, "", "yesterday"):
        with pytest.raises(NonsenseError):
            traefik_view.process({"startDate": "2026-01-02T03:04:05Z"}, date)


FILE = """\
http:
  services:
    shop_web:   # by hand
      loadbalancer:
        servers:
        - url: "http://a"
          weight: 5
        - {url: http://b}
    shopWeb: {loadBalancer: {servers: [{url: http://c}]}}
"""


def test_a_server_keeps_its_weight_while_it_is_out() -> None:
    servers = traefik_servers.parse(FILE, "shop_web")
    assert set(servers.places) == {"http://a", "http://b"}
    out = servers.with_out("http://a")
    assert out == FILE.replace("weight: 5", "weight: -5")
    again = traefik_servers.parse(out, "shop_web")
    assert again.with_out("http://a") == out and again.with_in("http://a") == FILE
    assert again.with_weight("http://a", 7) == FILE.replace("weight: 5", "weight: -7")
    assert servers.with_weight("http://a", 7) == FILE.replace("weight: 5", "weight: 7")


def test_a_server_without_a_weight_gets_one() -> None:
    servers = traefik_servers.parse(FILE, "shop_web")
    out = servers.with_out("http://b")
    assert out == FILE.replace("{url: http://b}", "{weight: -1, url: http://b}")
    back = traefik_servers.parse(out, "shop_web").with_in("http://b")
    assert back == FILE.replace("{url: http://b}", "{weight: 1, url: http://b}")
    zero = traefik_servers.parse(out.replace("-1", "0"), "shop_web")
    assert zero.with_in("http://b") == back


def test_the_name_of_a_service_is_taken_as_it_is_written() -> None:
    assert set(traefik_servers.parse(FILE, "shopWeb").places) == {"http://c"}
    with pytest.raises(UnreadableError, match="shop_web, shopWeb"):
        traefik_servers.parse(FILE, "shopweb")


def test_a_weight_that_is_no_number_is_unreadable() -> None:
    servers = traefik_servers.parse(FILE.replace("weight: 5", "weight: five"), "shop_web")
    with pytest.raises(UnreadableError, match="five"):
        servers.with_out("http://a")


def test_a_server_comes_and_goes() -> None:
    text = "http: {services: {shop: {loadBalancer: {servers: []}}}}"
    one = traefik_servers.parse(text, "shop").with_added("http://a", -1)
    both = traefik_servers.parse(one, "shop").with_added("http://b", 1)
    servers = traefik_servers.parse(both, "shop")
    assert list(servers.places) == ["http://b", "http://a"]
    assert servers.with_added("http://a", 1) == servers.without("http://c") == both
    assert servers.without("http://b") == one
    assert traefik_servers.parse(one, "shop").without("http://a") == text
