"""The fake cluster keeps what the real ones keep, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved
from gapless.drivers.transports.base import Claim
from gapless.model import Fence
from gapless.testing.cluster_suite import ClusterRig, ClusterSuite, Loosen
from gapless.testing.fake_cluster import FakeCluster, FakeMembers
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World


class FakeRig:
    """See ClusterRig. Its members keep no data, have no folder, and answer whoever asks."""

    can = frozenset(
        {"moves", "quick", "choose", "alone", "restarts", "began", "hold", "stranger", "fence"}
    )
    hosts = ("db1", "db2", "db3")
    secrets = ()
    groups = 3

    def __init__(self) -> None:
        self._world = World()
        for host in self.hosts:
            self._world.host(host).add_unit("store.service", service="store").run_already()
        self._members = FakeMembers(self._world, "store", self.groups)

    def cluster(self) -> FakeCluster:
        return FakeCluster(self._members)

    async def mend(self) -> None: ...

    async def id(self, host: str) -> str:
        return host

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        self._members.elect()
        return {group: frozenset((one,)) for group, one in self._members.leaders.items()}

    async def caught_up(self, host: str) -> bool:
        return host in self._members.in_sync

    async def stop(self, host: str) -> None:
        await self._unit(host).stop()

    async def start(self, host: str) -> None:
        await self._unit(host).start()

    async def hold(self, host: str) -> Loosen:
        self._members.behind.add(host)

        async def loosen() -> None:
            self._members.behind.discard(host)

        return loosen

    async def stranger(self, group: str) -> str:
        new = next(one for one in self.hosts if one != self._members.leaders[group])
        self._members.leaders[group] = new
        return new

    async def claim(self, host: str, rollout: str) -> Fence:
        claim = Claim("store", rollout, "somebody", "here", 1, 0.0)
        transport = self._world.transport(host)
        await transport.connect()
        fence = (await transport.claim(claim, take_over=True)).fence
        assert fence
        return fence

    async def holder(self, host: str) -> Fence | None:
        transport = self._world.transport(host)
        await transport.connect()
        return (await transport.holder("store")).fence

    def _unit(self, host: str) -> FakeUnit:
        (unit,) = self._world.host(host).units.values()
        return unit


class Stays(FakeCluster):
    """Of a system whose leaders cannot be told to hand over."""

    async def topology(self) -> Topology:
        seen = await super().topology()
        groups = {name: replace(one, movable=False) for name, one in seen.groups.items()}
        return replace(seen, groups=groups)

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        led = (await self.topology()).led_by(member)
        return tuple(Moved(group.id, why="it does when it stops") for group in led)


class StayingRig(FakeRig):
    """Its members are stopped while they lead, as has to be; by a crash, so to say: an orderly stop
    of a leader is a breach here."""

    groups = 1
    can = FakeRig.can - {"moves", "quick", "choose", "stranger", "fence"}

    def cluster(self) -> FakeCluster:
        return Stays(self._members)

    async def stop(self, host: str) -> None:
        self._unit(host).end(again=False)


@asynccontextmanager
async def fake_rig() -> AsyncIterator[FakeRig]:
    yield FakeRig()


@asynccontextmanager
async def staying_rig() -> AsyncIterator[FakeRig]:
    yield StayingRig()


class TestFakeCluster(ClusterSuite):
    def rig(self) -> AbstractAsyncContextManager[ClusterRig]:
        return fake_rig()

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        run_virtual(scene)


class TestFakeThatStays(TestFakeCluster):
    def rig(self) -> AbstractAsyncContextManager[ClusterRig]:
        return staying_rig()
