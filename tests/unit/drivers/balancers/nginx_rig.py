"""Two real nginx before two applications."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.nginx import NginxBalancer
from gapless.drivers.balancers.nginx_node import NginxNode

from .apps import App
from .file_hosts import BesideFile, TwoBesideFiles, Watched
from .two_proxies import WithStranger, need, running

PROGRAM = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
AROUND = "# written by hand: caf\u00e9 \u2014\tdo not touch\r\nkeepalive 4;  \n"
"""What is around the marked servers, and has to stay."""


def need_nginx() -> None:
    """See ``need``."""
    need(PROGRAM, "nginx is not installed (apt-get install nginx-light)")


class Nginx(BesideFile):
    """A master and its workers, in a session of their own."""

    def __init__(self, folder: Path, apps: list[App]) -> None:
        super().__init__(folder)
        self.file = self.include = folder / "shop.conf"
        self.pid = folder / "nginx.pid"
        self.config = folder / "nginx.conf"
        servers = "".join(f"server 127.0.0.1:{app.port} max_fails=1;\n" for app in apps)
        self.include.write_bytes(
            f"{AROUND}# gapless begin shop\n{servers}# gapless end shop\n".encode()
        )
        self.config.write_text(_config(folder, self.port, self.include))

    @property
    def program(self) -> tuple[str, ...]:
        assert PROGRAM
        log = str(self.folder / "error.log")
        return (PROGRAM, "-p", str(self.folder), "-e", log, "-c", str(self.config))

    async def start(self) -> None:
        await asyncio.sleep(0.05)  # workers are told by their age: not in the tick of the file
        await self._run(*self.program, start_new_session=True)

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def _ready(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            assert self._process
            return b"master process" in Path(f"/proc/{self._process.pid}/cmdline").read_bytes()
        return False

    def reloads(self) -> int:
        """How often it read its configuration again."""
        return (self.folder / "error.log").read_text().count("SIGHUP) received")


class NginxRig(TwoBesideFiles[Nginx]):
    """See BalancerRig. nginx has no checks, and forgets nothing: what it is told is in its file."""

    can = frozenset(
        {
            *("hold", "restart", "silence", "nonsense", "missing"),
            *("floor", "words", "maintenance", "refusal"),
        }
    )

    def proxy(self, folder: Path) -> Nginx:
        return Nginx(folder, self.apps)

    def balancer(self, **limits: Any) -> NginxBalancer:
        return NginxBalancer(
            "edge", self.config(**limits), self.reach, LoopClock(), address=self.address
        )

    def node(self) -> NginxNode:
        """The driver of one node alone."""
        nginx = self.config().nginx
        assert nginx
        return NginxNode("edge", "lb1", nginx, lambda: self.reach("lb1"), self.address)

    def config(self, **limits: Any) -> BalancerConfig:
        nginx: dict[str, Any] = {"on": ["lb1", "lb2"], "upstream": "shop"}
        nginx |= {"include": "$NODE/shop.conf", "pid": "$NODE/nginx.pid"}
        nginx |= {"server": "127.0.0.1:{address}"}
        base = [PROGRAM, "-p", "$NODE", "-e", "$NODE/error.log", "-c", "$NODE/nginx.conf"]
        nginx |= {"test": [*base, "-t"], "reload": [*base, "-s", "reload"]}
        nginx |= limits.pop("nginx", {})
        return BalancerConfig.model_validate({"nginx": nginx, **limits})

    async def maintenance(self, node: int) -> None:
        proxy = self.proxies[node]
        line = f"server 127.0.0.1:{self.apps[0].port} max_fails=1"
        text = proxy.include.read_text()
        assert f"{line};" in text
        proxy.include.write_text(text.replace(f"{line};", f"{line} down;"))
        await asyncio.sleep(0.05)
        reload = await asyncio.create_subprocess_exec(*proxy.program, "-s", "reload")
        assert await reload.wait() == 0

    async def nonsense(self, node: int) -> None:
        self.proxies[node].include.write_text("# gapless begin shop\nxyzzy\n# gapless end shop\n")


class DynamicNginxRig(WithStranger[Nginx, Watched], NginxRig):
    """The same with servers that may be added: nothing is missing for good then."""

    can = (NginxRig.can - {"missing"}) | {"dynamic"}

    def address(self, host: str) -> str:
        return str(self.third.port) if host == self.stranger.host else super().address(host)

    def config(self, **limits: Any) -> BalancerConfig:
        return super().config(**{**limits, "nginx": {"dynamic": True} | limits.get("nginx", {})})


def nginx_rig(folder: Path) -> AbstractAsyncContextManager[NginxRig]:
    return running(NginxRig(folder))


def dynamic_nginx_rig(folder: Path) -> AbstractAsyncContextManager[DynamicNginxRig]:
    return running(DynamicNginxRig(folder))


def _config(folder: Path, port: int, include: Path) -> str:
    user = "user root;" if os.geteuid() == 0 else ""
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 64; }}
http {{
  access_log off;
  {places}
  upstream shop {{
    include {include};
  }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_timeout 60s;
    location / {{
      proxy_pass http://shop;
      proxy_next_upstream off;
    }}
  }}
}}
"""
