"""What HAProxy counted, added up; and what may be said to it of new servers."""

from __future__ import annotations

import pydantic
import pytest

from gapless.config.balancer_haproxy import HaproxyDynamicConfig
from gapless.drivers.balancers import haproxy_names as names
from gapless.drivers.balancers import haproxy_orders as orders
from gapless.drivers.balancers.haproxy_figures import counted
from gapless.drivers.balancers.haproxy_view import Server
from gapless.errors import TrafficError


def server(**figures: int) -> Server:
    told = {name: str(value) for name, value in figures.items()}
    return Server("web1", "UP", 2, 0, 1, True, "L7OK", 0, 0, told)


def test_nodes_are_added_up_and_named_with_their_process() -> None:
    found = counted(
        {
            "lb1": (server(stot=10, hrsp_5xx=2, eresp=1), "42 1"),
            "lb2": (server(stot=5, econ=3), "7 9"),
            "lb3": (None, "8 8"),
        }
    )
    assert (found.requests, found.errors) == (15, 6)
    assert found.lives == {"lb1": "42 1", "lb2": "7 9", "lb3": "8 8"}
    assert found.detail["lb1"]["hrsp_2xx"] == 0 and "lb3" not in found.detail


def test_a_response_that_is_counted_twice_is_no_more_than_one_request() -> None:
    """HAProxy 2.8 counts one that broke off twice."""
    assert counted({"lb1": (server(stot=1, eresp=2), "1")}).errors == 1


def test_another_process_is_told_and_a_new_node_is_not() -> None:
    before = counted({"lb1": (server(stot=9), "1"), "lb2": (server(stot=9), "2")})
    after = counted({"lb1": (server(stot=1), "3"), "lb2": (server(stot=9), "2")})
    assert after.began_anew(before) == ("lb1",)
    assert counted({"lb3": (server(), "5")}).began_anew(before) == ()


def test_a_server_without_checks_is_not_asked_to_have_them_enabled() -> None:
    assert orders.added("shop/web3", "10.0.0.3:80", "weight 5") == (
        "add server shop/web3 10.0.0.3:80 weight 5",
    )
    assert orders.added("shop/web3", "10.0.0.3:80", "check inter 1s")[1:] == (
        "enable health shop/web3",
    )


@pytest.mark.parametrize("text", ["10.0.0.3:80", "[fd00::3]:80", "web3.example:80", "unix@/run/x"])
def test_addresses_of_servers(text: str) -> None:
    assert names.address(text) == text


@pytest.mark.parametrize("text", ["a;shutdown frontend x", "a b", "", "a\nb"])
def test_what_would_begin_another_command_is_refused(text: str) -> None:
    with pytest.raises(TrafficError):
        names.address(text)
    with pytest.raises(pydantic.ValidationError):
        HaproxyDynamicConfig(address="{address}:1", options=f"check;{text}")
