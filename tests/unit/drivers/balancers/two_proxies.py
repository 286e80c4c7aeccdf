"""Two real proxies before two applications: what rigs of balancers share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen, until
from tests.ports import free_port

from .apps import App, get


def need(program: str | None, missing: str) -> str:
    """The program; skips without it, unless everything has to run."""
    if program is not None:
        return program
    if os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(missing)
    pytest.skip(missing)


class Proxy:
    """One process with a folder and a door of its own."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        folder.mkdir()
        self.folder = folder
        self.address = address
        self.port = free_port(address)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def get(self, path: str) -> str:
        """A request of a client, on a connection of its own."""
        return await get(self.port, path, self.address)

    async def _run(self, *argv: str, **how: Any) -> None:
        """Until it is ready."""
        path = self.folder / "log"
        with path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdout=log, stderr=log, **how
            )
        await until(self._ready, f"{argv[0]} is ready: {path.read_text()[-500:]}")
        ended = self._process.returncode
        assert ended is None, f"{argv[0]} ended with {ended}: {path.read_text()[-500:]}"

    async def _ready(self) -> bool:
        raise NotImplementedError


P = TypeVar("P", bound=Proxy)
H = TypeVar("H")


class TwoProxies(Generic[P, H]):
    """See BalancerRig. ``locals`` are the hosts of the proxies, by name."""

    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.proxies: list[P] = []
        self.apps = [App(self.instance.host), App(self.other.host)]
        self._liars: list[asyncio.Server] = []

    def proxy(self, folder: Path) -> P:
        """A new one, not started."""
        raise NotImplementedError

    def host(self, name: str, proxy: P) -> H:
        """The machine it runs on."""
        raise NotImplementedError

    async def start(self) -> None:
        for app in self.apps:
            await app.start()
        self.proxies = [self.proxy(self._folder / f"lb{n}") for n in (1, 2)]
        self.locals = {
            f"lb{n}": self.host(f"lb{n}", proxy) for n, proxy in enumerate(self.proxies, start=1)
        }
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))

    async def end(self) -> None:
        for app in self.apps:
            app.stop()
        for liar in self._liars:
            liar.close()
        for proxy in self.proxies:
            await proxy.stop()

    async def hold(self, node: int) -> Loosen:
        app = self.apps[0]
        app.gate.clear()
        self.apps[1].gate.set()
        tasks: list[asyncio.Task[str]] = []
        while not app.holding:  # round robin: at most every second one
            tasks.append(asyncio.create_task(self.proxies[node].get("/hold")))
            await asyncio.sleep(0.05)

        async def loosen() -> None:
            app.gate.set()
            await asyncio.gather(*tasks)

        return loosen

    async def ask(self, node: int) -> str:
        return await self.proxies[node].get("/")

    async def healthy(self, healthy: bool) -> None:
        self.apps[0].healthy = healthy

    async def restart(self, node: int) -> None:
        await self.proxies[node].stop()
        await self.proxies[node].start()

    async def stop(self, node: int) -> None:
        await self.proxies[node].stop()

    async def lie(self, node: int, address: str, port: int) -> None:
        """Something else answers there in its place."""
        await self.proxies[node].stop()
        self._liars.append(await asyncio.start_server(_lie, address, port))


class WithStranger(TwoProxies[P, H]):
    """One application more, that no proxy knows yet: see ``Special``."""

    stranger = Instance("shop.api", "web3.shop.example")

    async def start(self) -> None:
        self.third = App(self.stranger.host)
        await self.third.start()
        await super().start()

    async def end(self) -> None:
        self.third.stop()
        await super().end()


R = TypeVar("R", bound=TwoProxies[Any, Any])


@asynccontextmanager
async def running(rig: R) -> AsyncIterator[R]:
    """As long as the body."""
    try:
        await rig.start()
        yield rig
    finally:
        await rig.end()


async def _lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxyzzy")
    writer.close()
