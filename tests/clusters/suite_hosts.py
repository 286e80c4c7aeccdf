"""What the rigs of the contract suite have alike: hosts that count their rollouts apart, and one
cluster and one event loop for all cases of a class."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.base import Claim, Tls, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import Unreachable
from gapless.model import Fence
from gapless.testing.cluster_suite import ClusterSuite

SERVICE = "store"


class _Reached:
    """The transport of one host: a real helper of its own, and addresses that the host has to
    itself, so to say."""

    def __init__(self, local: LocalTransport, turns: Mapping[str, str]) -> None:
        self.local = local
        self.cut_off = False
        self._turns = turns

    async def connect(self) -> None:
        pass

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        if self.cut_off:
            raise Unreachable("no route to the host")
        real = self._turns.get(address, address)
        return await self.local.exchange(real, data, timeout, fence, tls)


class SharedRig:
    """Part of a ``ClusterRig``. ``turns``: by host where its addresses really are."""

    can: frozenset[str]
    hosts: tuple[str, ...]
    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.down: set[str] = set()
        """Hosts whose members were stopped."""
        self._reached: dict[str, _Reached] = {}

    def turns(self, host: str) -> Mapping[str, str]:
        return {}

    def begin(self) -> None:
        """Members run."""
        raise NotImplementedError

    def end(self) -> None:
        """Nothing runs any more."""
        raise NotImplementedError

    async def begin_one(self, host: str) -> None:
        raise NotImplementedError

    async def end_one(self, host: str) -> None:
        raise NotImplementedError

    async def connect(self) -> None:
        """A helper on each host."""
        for host in self.hosts:
            state = str(self.folder / f"state-{host}")
            local = LocalTransport(host, HostConfig(transport="local", sudo=False, state_dir=state))
            self._reached[host] = _Reached(local, self.turns(host))
        await asyncio.gather(*(one.local.connect() for one in self._reached.values()))

    async def close(self) -> None:
        for one in self._reached.values():
            await one.local.close()

    def transport(self, host: str) -> Transport:
        return cast(Transport, self._reached[host])

    async def mend(self) -> None:
        await self.cut_off(())
        for host in sorted(self.down):
            await self.start(host)

    async def stop(self, host: str) -> None:
        self.down.add(host)
        await self.end_one(host)

    async def start(self, host: str) -> None:
        await self.begin_one(host)
        self.down.discard(host)

    @property
    def running(self) -> list[str]:
        return [host for host in self.hosts if host not in self.down]

    async def cut_off(self, hosts: Sequence[str]) -> None:
        for host, reached in self._reached.items():
            reached.cut_off = host in hosts

    async def claim(self, host: str, rollout: str) -> Fence:
        claim = Claim(SERVICE, rollout, "somebody", "here", 1, 0.0)
        fence = (await self._reached[host].local.claim(claim, take_over=True)).fence
        assert fence
        return fence

    async def holder(self, host: str) -> Fence | None:
        return (await self._reached[host].local.holder(SERVICE)).fence


class Standing:
    """A rig that has begun, and the loop that its helpers belong to."""

    def __init__(self, rig: SharedRig, runner: asyncio.Runner) -> None:
        self.rig, self.runner = rig, runner


@contextmanager
def begun(rig: SharedRig) -> Iterator[Standing]:
    """As long as the body."""
    with asyncio.Runner() as runner:
        try:
            rig.begin()
            runner.run(rig.connect())
            yield Standing(rig, runner)
        finally:
            runner.run(rig.close())
            rig.end()


class SharedSuite(ClusterSuite):
    """The suite on one cluster, that of a fixture ``standing``."""

    @pytest.fixture(autouse=True)
    def _standing(self, standing: Standing) -> None:
        self._shared = standing

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Any]:
        yield self._shared.rig

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        self._shared.runner.run(scene)
