"""Two real nginx before two applications."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.nginx import NginxBalancer
from gapless.drivers.balancers.nginx_node import NginxNode
from gapless.drivers.transports.base import Transport
from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen, until

from .apps import App, get
from .file_hosts import At, Watched, free_port
from .local import transport

PROGRAM = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
AROUND = "# written by hand: caf\u00e9 \u2014\tdo not touch\r\nkeepalive 4;  \n"
"""What is around the marked servers, and has to stay."""


def need_nginx() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "nginx is not installed (apt-get install nginx-light)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Nginx:
    """One nginx with a folder of its own."""

    def __init__(self, folder: Path, apps: list[App]) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.include = folder / "shop.conf"
        self.pid = folder / "nginx.pid"
        self.config = folder / "nginx.conf"
        servers = "".join(f"server 127.0.0.1:{app.port} max_fails=1;\n" for app in apps)
        self.include.write_bytes(
            f"{AROUND}# gapless begin shop\n{servers}# gapless end shop\n".encode()
        )
        self.config.write_text(_config(folder, self.port, self.include))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def program(self) -> tuple[str, ...]:
        assert PROGRAM
        log = str(self.folder / "error.log")
        return (PROGRAM, "-p", str(self.folder), "-e", log, "-c", str(self.config))

    async def start(self) -> None:
        await asyncio.sleep(0.05)  # workers are told by their age: not in the tick of the file
        with (self.folder / "out").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.program, stdout=log, stderr=log, start_new_session=True
            )
        await until(self._listens, f"nginx listens: {(self.folder / 'out').read_text()}")

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: master and workers
            await self._process.wait()

    async def _listens(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            assert self._process
            return b"master process" in Path(f"/proc/{self._process.pid}/cmdline").read_bytes()
        return False

    def reloads(self) -> int:
        """How often it read its configuration again."""
        return (self.folder / "error.log").read_text().count("SIGHUP) received")


class NginxRig:
    """See BalancerRig. nginx has no checks, and forgets nothing: what it is told is in its file."""

    can = frozenset(
        {
            *("hold", "restart", "silence", "nonsense", "missing"),
            *("floor", "words", "maintenance", "refusal"),
        }
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path) -> None:
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._folder = folder

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.proxies = [Nginx(self._folder / f"lb{n}", self.apps) for n in (1, 2)]
        self.locals = {f"lb{n}": Watched(f"lb{n}") for n in (1, 2)}
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for proxy in self.proxies:
            await proxy.stop()

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
        """In real life each node has its own host; here the transport fills in its folder."""
        nginx: dict[str, Any] = {"on": ["lb1", "lb2"], "upstream": "shop"}
        nginx |= {"include": "$NODE/shop.conf", "pid": "$NODE/nginx.pid"}
        nginx |= {"server": "127.0.0.1:{address}"}
        base = [PROGRAM, "-p", "$NODE", "-e", "$NODE/error.log", "-c", "$NODE/nginx.conf"]
        nginx |= {"test": [*base, "-t"], "reload": [*base, "-s", "reload"]}
        nginx |= limits.pop("nginx", {})
        return BalancerConfig.model_validate({"nginx": nginx, **limits})

    def reach(self, host: str) -> Transport:
        return transport(At(self.locals[host], self.proxies[int(host[-1]) - 1].folder))

    def address(self, host: str) -> str:
        """Each application has a port of its own in the place of an address."""
        return next((str(app.port) for app in self.apps if app.name == host), "1")

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
        raise NotImplementedError

    async def maintenance(self, node: int) -> None:
        proxy = self.proxies[node]
        line = f"server 127.0.0.1:{self.apps[0].port} max_fails=1"
        text = proxy.include.read_text()
        assert f"{line};" in text
        proxy.include.write_text(text.replace(f"{line};", f"{line} down;"))
        await asyncio.sleep(0.05)
        reload = await asyncio.create_subprocess_exec(*proxy.program, "-s", "reload")
        assert await reload.wait() == 0

    async def refuse(self, node: int, refuses: bool) -> None:
        self.locals[f"lb{node + 1}"].refuses = refuses

    async def restart(self, node: int) -> None:
        await self.proxies[node].stop()
        await self.proxies[node].start()

    async def stop(self, node: int) -> None:
        await self.proxies[node].stop()

    async def nonsense(self, node: int) -> None:
        self.proxies[node].include.write_text("# gapless begin shop\nxyzzy\n# gapless end shop\n")


@asynccontextmanager
async def nginx_rig(folder: Path) -> AsyncIterator[NginxRig]:
    rig = NginxRig(folder)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()


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
