"""Two agents of two datacenters; each has both instances registered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.consul import ConsulBalancer
from gapless.model import Instance
from gapless.testing.balancer_suite import Loosen

from .fake_consul import Agent, Datacenter, Registered
from .local import transport
from .machine import Machine


class ConsulRig:
    """See BalancerRig."""

    can = frozenset(
        {"checks", "restart", "silence", "nonsense", "missing", "floor", "words"}
        | {"maintenance", "refusal"}
    )
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self) -> None:
        self.agents = [self._agent(name) for name in ("lb1", "lb2")]
        self._turn = 0

    def _agent(self, name: str) -> Agent:
        hosts = (self.instance.host, self.other.host)
        return Agent(name, Datacenter(), [Registered(f"api {host}", "shop.api") for host in hosts])

    async def start(self) -> None:
        for agent in self.agents:
            await agent.start()
        self.locals = {
            agent.node: Machine(agent.node, {"localhost:8500": f"127.0.0.1:{agent.port}"})
            for agent in self.agents
        }

    async def end(self) -> None:
        for agent in self.agents:
            await agent.stop()

    def balancer(self, **limits: Any) -> ConsulBalancer:
        consul = {"on": ["lb1", "lb2"], "id": "api {host}", "settle": "100ms"}
        consul |= limits.pop("consul", {})
        config = BalancerConfig.model_validate({"consul": consul, **limits})
        return ConsulBalancer(
            "edge", config, lambda host: transport(self.locals[host]), LoopClock()
        )

    async def hold(self, node: int) -> Loosen:
        raise NotImplementedError

    async def ask(self, node: int) -> str:
        given = self.agents[node].passing()
        self._turn += 1
        return given[self._turn % len(given)].removeprefix("api ") if given else ""

    async def healthy(self, healthy: bool) -> None:
        for agent in self.agents:
            agent.services[f"api {self.instance.host}"].healthy = healthy
            agent.sync()

    async def maintenance(self, node: int) -> None:
        self.agents[node].services[f"api {self.instance.host}"].reason = "disk is full"
        self.agents[node].sync()

    async def refuse(self, node: int, refuses: bool) -> None:
        self.agents[node].refuses = refuses

    async def restart(self, node: int) -> None:
        await self.agents[node].restart()

    async def stop(self, node: int) -> None:
        await self.agents[node].stop()

    async def nonsense(self, node: int) -> None:
        self.agents[node].says = b"xyzzy"


@asynccontextmanager
async def consul_rig() -> AsyncIterator[ConsulRig]:
    rig = ConsulRig()
    await rig.start()
    try:
        yield rig
    finally:
        await rig.end()
