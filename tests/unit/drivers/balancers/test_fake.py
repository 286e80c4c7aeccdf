"""The fake balancer keeps what the real ones keep, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from gapless.config.quantities import parse_duration
from gapless.model import Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, Loosen
from gapless.testing.fake_traffic import FakeBalancer, Traffic
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World


class FakeRig:
    """See BalancerRig. Its processes are never replaced, never silent and never talk rubbish."""

    can = frozenset({"hold", "checks"})
    nodes = 2
    instance = Instance("shop", "web1")
    other = Instance("shop", "web2")

    def __init__(self) -> None:
        self._world = World()
        for host in ("web1", "web2"):
            unit = self._world.host(host).add_unit("shop.service", service="shop", port=80)
            unit.run_already()
        self._traffic = Traffic(self._world, "edge", ["shop"], nodes=("lb1", "lb2"))
        self._turn = 0

    def balancer(self, **limits: Any) -> FakeBalancer:
        times = {
            name: parse_duration(limits[name])
            for name in limits
            if name in ("drain_timeout", "admit_timeout")
        }
        return FakeBalancer(self._traffic, **times)

    async def hold(self, node: int) -> Loosen:
        self._traffic.connections_last = 1e9

        async def loosen() -> None:
            self._traffic.connections_last = 0.5
            self._traffic.slot(self.instance).busy_until = 0.0

        return loosen

    async def ask(self, node: int) -> str:
        units = [unit for unit in self._world.units("shop") if self._world.in_traffic(unit)]
        good = [unit.host.name for unit in units if unit.serving]
        self._turn += 1
        return good[self._turn % len(good)] if good else ""

    async def healthy(self, healthy: bool) -> None:
        (unit,) = self._world.host("web1").units.values()
        if healthy:
            await unit.restart()
        else:
            unit.become_unhealthy()

    async def maintenance(self, node: int) -> None:
        self._traffic.take_out(self.instance)

    async def restart(self, node: int) -> None:
        raise NotImplementedError

    stop = nonsense = restart


@asynccontextmanager
async def fake_rig() -> AsyncIterator[FakeRig]:
    yield FakeRig()


class TestFake(BalancerSuite):
    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return fake_rig()

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        run_virtual(scene)
