"""Two load balancers that follow a real etcd as PyBal does, each on a host of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.etcd import EtcdBalancer
from gapless.drivers.transports.base import Tls
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import Loosen

from .etcd_server import Etcd
from .local import Local, transport

_FOLDERS = itertools.count(1)


class Follower:
    """Reads the pool every 30 ms; tells it at /pools/shop/HOST in PyBal's words."""

    def __init__(self, etcd: Etcd, folder: str) -> None:
        self._etcd = etcd
        self._folder = folder
        self.sick: set[str] = set()
        self.stubborn = False
        """Whether it keeps in whom it has, as PyBal does when too many are down."""
        self.says = ""
        self._known: dict[str, str] = {}
        self._pooled: set[str] = set()
        self._turn = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        self._server.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._pooled.clear()

    def check(self, sick: set[str]) -> None:
        """Its own checks found these to be down."""
        self.sick = sick
        self._pooled -= sick

    def route(self, weights: dict[str, int]) -> str:
        """Where the next new request goes: as often as the weights say, one after the other."""
        turns = [host for host in sorted(self._pooled) for _ in range(weights[host])]
        self._turn += 7
        return turns[self._turn % len(turns)] if turns else ""

    async def _follow(self) -> None:
        while True:
            found = await asyncio.to_thread(self._etcd.folder, self._folder)
            self._known = {
                key.removeprefix(self._folder): json.loads(value)["pooled"]
                for key, value in found.items()
                if '"pooled": "' in value
            }
            wanted = {host for host, pooled in self._known.items() if pooled == "yes"} - self.sick
            self._pooled = self._pooled | wanted if self.stubborn else wanted
            await asyncio.sleep(0.03)

    def _state(self, host: str) -> str:
        enabled = "enabled" if self._known[host] == "yes" else "disabled"
        up = "down" if host in self.sick else "up"
        return f"{enabled}/{up}/{'pooled' if host in self._pooled else 'not pooled'}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            host = path.removeprefix("/pools/shop/")
            status, text = 404, ""
            if self._known.get(host, "inactive") != "inactive":
                status, text = 200, self.says or self._state(host)
            writer.write(f"HTTP/1.0 {status} X\r\n\r\n{text}".encode())
            await writer.drain()
        writer.close()


class Machine(Local):
    """The host of one load balancer, on which that listens at port 9090."""

    def __init__(self, host: str, follower: Follower) -> None:
        super().__init__(host)
        self._follower = follower

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        there = f"127.0.0.1:{self._follower.port}" if address == "localhost:9090" else address
        return await super().exchange(there, data, timeout, fence, tls)


class EtcdRig:
    """See BalancerRig. Nobody counts requests, so none can be held."""

    can = frozenset({"checks", "silence", "nonsense", "missing", "floor", "words", "weights"})
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, etcd: Etcd) -> None:
        self.etcd = etcd
        self.folder = f"/conftool/v1/pools/dc{next(_FOLDERS)}/shop/api/"
        self.followers = [Follower(etcd, self.folder), Follower(etcd, self.folder)]
        self.locals = {
            f"lb{n}": Machine(f"lb{n}", follower) for n, follower in enumerate(self.followers, 1)
        }

    async def start(self) -> None:
        for host in (self.instance.host, self.other.host):
            self.tell(host, pooled="yes", weight=10)
        for follower in self.followers:
            await follower.start()

    async def end(self) -> None:
        for follower in self.followers:
            await follower.stop()

    def tell(self, host: str, **value: Any) -> None:
        """Somebody else writes a value."""
        self.etcd.put(self.folder + host, json.dumps(value))

    def told(self, host: str) -> Any:
        """The value there."""
        return json.loads(self.etcd.get(self.folder + host))

    def balancer(self, **limits: Any) -> EtcdBalancer:
        etcd = {
            "on": ["lb1", "lb2"],
            "endpoints": self.etcd.url,
            "key": self.folder + "{host}",
            "settle": "100ms",
            "verify": {"url": "http://localhost:9090/pools/shop/{host}"},
            **limits.pop("etcd", {}),
        }
        config = BalancerConfig.model_validate({"etcd": etcd, **limits})
        return EtcdBalancer("edge", config, lambda host: transport(self.locals[host]), LoopClock())

    async def hold(self, node: int) -> Loosen:
        raise NotImplementedError

    async def ask(self, node: int) -> str:
        found = await asyncio.to_thread(self.etcd.folder, self.folder)
        weights = {k.removeprefix(self.folder): json.loads(v)["weight"] for k, v in found.items()}
        return self.followers[node].route(weights)

    async def healthy(self, healthy: bool) -> None:
        for follower in self.followers:
            follower.check(set() if healthy else {self.instance.host})

    async def maintenance(self, node: int) -> None:
        self.tell(self.instance.host, pooled="no", weight=10)

    async def restart(self, node: int) -> None:
        raise NotImplementedError

    async def stop(self, node: int) -> None:
        await self.followers[node].stop()

    async def nonsense(self, node: int) -> None:
        self.followers[node].says = "xyzzy"


@asynccontextmanager
async def etcd_rig(etcd: Etcd) -> AsyncIterator[EtcdRig]:
    rig = EtcdRig(etcd)
    await rig.start()
    try:
        yield rig
    finally:
        await rig.end()
