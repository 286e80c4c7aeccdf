"""The fake keeps the contract that the real transports keep."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from gapless.testing.fake_transport import FakeTransport
from gapless.testing.transport_suite import TransportSuite
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World


class FakeRig:
    can = frozenset(("push",))
    folder = "/srv/empty"

    def __init__(self) -> None:
        self.world = World()
        self.world.host("web1").files.mkdir(self.folder)

    def transport(self) -> FakeTransport:
        return self.world.transport("web1")


class TestFakeTransport(TransportSuite):
    @contextmanager
    def rig(self) -> Iterator[FakeRig]:
        yield FakeRig()

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        run_virtual(case)
