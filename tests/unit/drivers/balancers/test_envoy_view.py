"""What Envoy's admin interface says, and what its file holds."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.balancers import envoy_endpoints, envoy_view
from gapless.drivers.balancers.envoy_view import NonsenseError, Settings
from gapless.drivers.balancers.yaml_places import UnreadableError

SOCKET = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}


def host(**facts: Any) -> dict[str, Any]:
    health = facts.pop("health", {"eds_health_status": "HEALTHY"})
    return {"address": SOCKET, "stats": [], "health_status": health, **facts}


def clusters(*hosts: dict[str, Any]) -> dict[str, Any]:
    return {"cluster_statuses": [{"name": "shop", "host_statuses": hosts}, {"name": "empty"}]}


def test_a_host_is_known_by_its_address_and_its_name() -> None:
    pipe = {"address": {"pipe": {"path": "/run/x.sock"}}}
    seen = envoy_view.hosts(clusters(host(hostname="web1"), host(**pipe)), "shop")
    assert set(seen) == {"10.0.0.1:80", "web1", "/run/x.sock"}
    assert envoy_view.hosts(clusters(), "empty") == envoy_view.hosts(clusters(), "shpo") == {}


@pytest.mark.parametrize(
    ("health", "out", "up"),
    [
        ({"eds_health_status": "HEALTHY"}, False, True),
        ({"eds_health_status": "DEGRADED"}, False, True),
        ({}, False, True),
        ({"eds_health_status": "HEALTHY", "failed_active_health_check": True}, False, False),
        ({"eds_health_status": "HEALTHY", "pending_active_hc": True}, False, False),
        ({"eds_health_status": "DRAINING"}, True, False),
        ({"eds_health_status": "UNHEALTHY"}, True, False),
        ({"eds_health_status": "SOMETHING_NEW"}, True, False),
    ],
)
def test_up_is_what_it_was_told_and_what_nothing_contradicts(
    health: dict[str, Any], out: bool, up: bool
) -> None:
    seen = envoy_view.hosts(clusters(host(health=health)), "shop")["10.0.0.1:80"]
    assert (seen.out, seen.up) == (out, up)


def test_requests_waiting_for_a_connection_are_open_too() -> None:
    stats = [{"name": "rq_active", "value": "2"}, {"name": "rq_pending_active", "value": "1"}]
    stats += [{"name": "cx_active", "value": "7"}, {"name": "rq_total"}]
    seen = envoy_view.hosts(clusters(host(stats=stats)), "shop")["10.0.0.1:80"]
    assert seen.open == 3 and seen.figures["rq_total"] == 0
    assert str(seen) == "10.0.0.1:80 HEALTHY, 3 open, 7 connections kept"


def test_few_healthy_hosts_are_a_panic() -> None:
    def hosts(*told: str, **facts: Any) -> dict[str, envoy_view.Host]:
        found = {}
        for number, status in enumerate(told):
            address = {"socket_address": {"address": f"10.0.0.{number}", "port_value": 80}}
            one = host(address=address, health={"eds_health_status": status}, **facts)
            found |= envoy_view.hosts(clusters(one), "shop")
        return found

    half = hosts("HEALTHY", "DRAINING", hostname="")
    assert not envoy_view.panics(half, 0, 50.0)
    assert envoy_view.panics(half, 0, 50.0, without="10.0.0.0:80")
    assert not envoy_view.panics(half, 0, 0.0, without="10.0.0.0:80")
    assert envoy_view.panics(hosts("HEALTHY", "DRAINING", "DRAINING"), 0, 50.0)
    assert not envoy_view.panics(hosts("DRAINING", priority=1), 0, 50.0), "another priority"


def test_settings_come_from_the_cluster_of_that_name() -> None:
    check = {"timeout": "1s", "interval": "0.500s", "unhealthy_threshold": 3}
    slow = {**check, "interval_jitter": "2s"}
    shop = {"name": "shop", "health_checks": [check, slow]}
    answer = {"configs": [{"cluster": {"name": "x"}}, {"cluster": shop}]}
    assert envoy_view.settings(answer, "shop") == Settings(panic=50.0, window=10.5)
    assert envoy_view.settings(answer, "x") == Settings(panic=50.0, window=None)
    assert envoy_view.settings({}, "shop") is None
    for threshold, panic in (({}, 0.0), ({"value": 20.0}, 20.0)):
        one = {"name": "x", "common_lb_config": {"healthy_panic_threshold": threshold}}
        seen = envoy_view.settings({"configs": [{"cluster": one}]}, "x")
        assert seen and seen.panic == panic and seen.merge == 1.0
    one = {"name": "x", "common_lb_config": {"update_merge_window": "0.250s"}}
    seen = envoy_view.settings({"configs": [{"cluster": one}]}, "x")
    assert seen and seen.merge == 0.25


@pytest.mark.parametrize("answer", [None, [], {}, {"configs": []}, {"configs": [{}]}, "xyzzy"])
def test_everything_else_is_nonsense(answer: Any) -> None:
    with pytest.raises(NonsenseError):
        envoy_view.life(answer)
    with pytest.raises(NonsenseError):
        envoy_view.hosts(answer, "shop")
    with pytest.raises(NonsenseError):
        envoy_view.hosts(
            {"cluster_statuses": [{"name": "shop", "host_statuses": [answer]}]}, "shop"
        )
    with pytest.raises(NonsenseError):
        envoy_view.settings({"configs": [answer]}, "shop")


JSON = """{"resources": [
  {"clusterName": "other", "endpoints": [{"lbEndpoints": [
    {"endpoint": {"address": {"socketAddress": {"address": "10.0.0.1", "portValue": 80}}}}]}]},
  {"clusterName": "shop", "endpoints": [{"lbEndpoints": [
    {"endpoint": {"hostname": "web1",
                  "address": {"socketAddress": {"address": "10.0.0.1", "portValue": 80}}},
     "healthStatus": "HEALTHY"},
    {"endpoint": {"address": {"pipe": {"path": "/run/x.sock"}}}}]}]}
]}"""


def test_endpoints_are_those_of_their_cluster() -> None:
    found = envoy_endpoints.parse(JSON, "shop")
    assert set(found.places) == {"10.0.0.1:80", "web1", "/run/x.sock"}
    assert found.with_status("web1", "DRAINING") == JSON.replace("HEALTHY", "DRAINING")
    assert found.with_weight("/run/x.sock", 7) == JSON.replace(
        '{"endpoint": {"address": {"pipe"',
        '{"load_balancing_weight": 7, "endpoint": {"address": {"pipe"',
    )


def test_an_endpoint_comes_and_goes() -> None:
    new = envoy_endpoints.parse(JSON, "shop").with_added("10.0.0.9:81", "HEALTHY")
    assert "10.0.0.9:81" not in envoy_endpoints.parse(new, "other").places
    assert '"port_value": 81}}}, "health_status": "HEALTHY"}, ' in new
    again = envoy_endpoints.parse(new, "shop").without("10.0.0.9:81")
    assert "".join(again.split()) == "".join(JSON.split())
    without = envoy_endpoints.parse(JSON, "shop").without("/run/x.sock")
    assert set(envoy_endpoints.parse(without, "shop").places) == {"10.0.0.1:80", "web1"}
    for wrong in ("web1", "web1:http"):
        with pytest.raises(UnreadableError, match="no address with a port"):
            envoy_endpoints.parse(JSON, "shop").with_added(wrong, "HEALTHY")
    nowhere = "resources: [{cluster_name: shop}]"
    with pytest.raises(UnreadableError, match="no list lb_endpoints"):
        envoy_endpoints.parse(nowhere, "shop").with_added("10.0.0.9:81", "HEALTHY")


@pytest.mark.parametrize("text", ["", "xyzzy", "{", "resources: []", JSON])
def test_a_file_without_the_cluster_says_which_it_has(text: str) -> None:
    with pytest.raises(UnreadableError):
        envoy_endpoints.parse(text, "shpo")
