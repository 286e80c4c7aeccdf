"""What the rigs of the contract suite have alike: hosts that count their rollouts apart, logins,
writes that are remembered, members that are held; and one cluster and one event loop for all cases
of a class."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.base import Claim, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.model import Fence
from gapless.testing.cluster_suite import ClusterSuite, Loosen, Unwritten

from .suite_reach import Reached

SERVICE = "store"
WRONG = "tr0ub4dor"
"""Nobody's password."""


class SharedRig:
    """Part of a ``ClusterRig``. ``logins``: by variable of the environment the password that is in
    it; ``failures``: what ``put`` raises where a write was not acknowledged."""

    can = frozenset({"restarts", "silence", "fence"})
    hosts: tuple[str, ...]
    logins: ClassVar[Mapping[str, str]] = {}
    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.down: set[str] = set()
        """Hosts whose members were stopped."""
        self.written: set[str] = set()
        """Keys that were acknowledged."""
        self._held: list[str] = []
        self._reached: dict[str, Reached] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.logins.values(), WRONG) if self.logins else ()

    def turns(self, host: str) -> Mapping[str, str]:
        """Where its addresses really are."""
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

    def put(self, key: str) -> None:
        """Acknowledged when this returns; in a thread. Raises one of ``failures``."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """A write was not acknowledged: whoever said it begins anew."""

    async def tighten(self, host: str) -> None:
        """See ``Special.hold``."""
        raise NotImplementedError

    async def loosen(self, host: str) -> None:
        """It may catch up; it runs."""
        raise NotImplementedError

    async def connect(self) -> None:
        """A helper on each host."""
        for host in self.hosts:
            state = str(self.folder / f"state-{host}")
            local = LocalTransport(host, HostConfig(transport="local", sudo=False, state_dir=state))
            self._reached[host] = Reached(local, self.turns(host))
        await asyncio.gather(*(one.local.connect() for one in self._reached.values()))

    async def close(self) -> None:
        for one in self._reached.values():
            await one.local.close()

    def transport(self, host: str) -> Transport:
        return cast(Transport, self._reached[host])

    async def mend(self) -> None:
        await self.cut_off(())
        os.environ.update(self.logins)
        for host in sorted(self.down):
            await self.start(host)
        for host in list(self._held):
            await self._loosened(host)

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

    async def mislead(self) -> None:
        os.environ.update(dict.fromkeys(self.logins, WRONG))

    async def write(self, key: str) -> None:
        try:
            await asyncio.to_thread(self.put, key)
        except self.failures as error:
            self.hang_up()
            raise Unwritten(str(error)) from error
        self.written.add(key)

    async def hold(self, host: str) -> Loosen:
        self._held.append(host)
        await self.tighten(host)
        return partial(self._loosened, host)

    async def _loosened(self, host: str) -> None:
        await self.loosen(host)
        self._held.remove(host)

    async def claim(self, host: str, rollout: str) -> Fence:
        claim = Claim(SERVICE, rollout, "somebody", "here", 1, 0.0)
        fence = (await self._reached[host].local.claim(claim, take_over=True)).fence
        assert fence
        return fence

    async def holder(self, host: str) -> Fence | None:
        return (await self._reached[host].local.holder(SERVICE)).fence


class ServersRig(SharedRig):
    """Of servers that this process starts and stops itself, by the names of their hosts."""

    servers: Any

    def begin(self) -> None:
        self.servers.begin()

    def end(self) -> None:
        self.servers.end()

    async def begin_one(self, host: str) -> None:
        """In the main thread: the kernel ends it with the thread that started it."""
        self.servers.start(host)

    async def end_one(self, host: str) -> None:
        await asyncio.to_thread(self.servers.stop, host)

    async def restart(self, host: str) -> None:
        await self.stop(host)
        await self.start(host)


class Standing:
    """A rig that has begun, and the loop that its helpers belong to."""

    def __init__(self, rig: SharedRig, runner: asyncio.Runner) -> None:
        self.rig, self.runner = rig, runner


@contextmanager
def begun(rig: SharedRig) -> Iterator[Standing]:
    """As long as the body."""
    with asyncio.Runner() as runner:
        try:
            os.environ.update(rig.logins)
            rig.begin()
            runner.run(rig.connect())
            yield Standing(rig, runner)
        finally:
            runner.run(rig.close())
            rig.end()
            for variable in rig.logins:
                os.environ.pop(variable, None)


@pytest.fixture(scope="class")
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standing]:
    """The rig that a suite names; for modules that import this."""
    with begun(request.cls.made(tmp_path_factory.mktemp("suite"))) as found:
        yield found


class SharedSuite(ClusterSuite):
    """The suite on one cluster, that of a fixture ``standing``: of the rig ``made``, in a folder,
    unless a module has its own."""

    made: ClassVar[type[SharedRig]]

    @pytest.fixture(autouse=True)
    def _standing(self, standing: Standing) -> None:
        self._shared = standing

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Any]:
        yield self._shared.rig

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        self._shared.runner.run(scene)
