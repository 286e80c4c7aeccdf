"""A weight for a member that is not in the file: an error that tells it, wherever members come and
go or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancer_envoy import EnvoyConfig
from gapless.config.balancer_traefik import TraefikConfig
from gapless.drivers.balancers import envoy_endpoints, traefik_servers
from gapless.drivers.balancers.envoy_node import EnvoyNode
from gapless.drivers.balancers.traefik_node import TraefikNode
from gapless.errors import TrafficError
from gapless.model import Instance

ENDPOINTS = """
resources:
- cluster_name: shop
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}
"""
SERVERS = """
http:
  services:
    shop:
      loadBalancer:
        servers:
        - url: "http://10.0.0.1:80"
"""


def envoy(dynamic: bool) -> EnvoyNode:
    config = EnvoyConfig.model_validate(
        {
            "admin": "http://127.0.0.1:1",
            "file": "/x",
            "cluster": "shop",
            "server": "{address}:80",
            "dynamic": dynamic,
        }
    )
    return EnvoyNode("edge", "lb1", config, _nobody, LoopClock())


def traefik(dynamic: bool) -> TraefikNode:
    config = TraefikConfig.model_validate(
        {
            "api": "http://127.0.0.1:1",
            "file": "/x",
            "service": "shop",
            "server": "http://{address}:80",
            "dynamic": dynamic,
        }
    )
    return TraefikNode("edge", "lb1", config, _nobody, LoopClock())


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("make", [envoy, traefik])
def test_a_weight_for_nobody_is_an_error_with_those_that_are_there(
    make: Callable[[bool], Any],
    dynamic: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def endpoints(self: Any) -> Any:
        return envoy_endpoints.parse(ENDPOINTS, "shop")

    async def servers(self: Any) -> Any:
        return traefik_servers.parse(SERVERS, "shop")

    async def view() -> Any:
        return SimpleNamespace()

    monkeypatch.setattr(EnvoyNode, "_endpoints", endpoints)
    monkeypatch.setattr(TraefikNode, "_servers", servers)
    node = make(dynamic)
    monkeypatch.setattr(node, "_api", SimpleNamespace(view=view), raising=False)
    gone = Instance("shop", "web1", "b", "10.0.0.2")
    with pytest.raises(TrafficError) as caught:
        asyncio.run(node.weigh(gone, 5, None))
    assert "10.0.0.2:80" in caught.value.what
    assert "10.0.0.1:80" in caught.value.evidence


def _nobody() -> Any:
    raise AssertionError("nobody is asked")
