"""What the transport suite needs: a way to open sessions, and a place on the host."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, Protocol
from unittest import SkipTest

from gapless.drivers.transports.base import Claim, Claimed, Transport
from gapless.model import Command, CriticalAction, Fence

Case = Callable[[Transport], Awaitable[None]]
CasePair = Callable[[Transport, Transport], Awaitable[None]]


class TransportRig(Protocol):
    """One host to speak to.

    ``can``: shell (a real /bin/sh and its usual programs), sockets (it shares our loopback),
    push (it has rsync).
    """

    can: frozenset[str]
    folder: str
    """An empty folder on the host, written without a slash at its end."""

    def transport(self) -> Transport:
        """Another session with the host, not connected yet."""
        ...


class TransportCases:
    """The machinery of the suite."""

    def rig(self) -> AbstractContextManager[TransportRig]:
        """A fresh host."""
        raise NotImplementedError

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        """Run one case; a virtual loop may be put here."""
        asyncio.run(case)

    def check(self, case: Case, needs: str = "") -> None:
        """Run a case with one connected session."""

        async def alone(first: Transport, _second: Transport) -> None:
            await case(first)

        self.check_two(alone, needs)

    def check_two(self, case: CasePair, needs: str = "") -> None:
        """Run a case with two sessions of the same host."""
        with self.rig() as rig:
            missing = set(needs.split()) - rig.can
            if missing:
                raise SkipTest(f"this transport has no {', '.join(sorted(missing))}")
            self.folder = rig.folder
            self.run(_with_sessions(case, rig.transport(), rig.transport()))

    folder = ""


async def _with_sessions(case: CasePair, first: Transport, second: Transport) -> None:
    try:
        await first.connect()
        await second.connect()
        await case(first, second)
    finally:
        await first.close()
        await second.close()


async def until(condition: Callable[[], Awaitable[object]], patience: float = 10.0) -> None:
    """Wait for what a host will show; only asking again can tell."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def sh(script: str, **options: Any) -> Command:
    """A shell command."""
    return Command(("/bin/sh", "-c", script), **options)


def claim_of(rollout: str, service: str = "shop.api") -> Claim:
    """Somebody's claim."""
    return Claim(service, rollout, "alice", "laptop", 7, 1000.0, "a reason")


def fence_of(claimed: Claimed) -> Fence:
    """The fence of a claim that must have been granted."""
    assert claimed.fence is not None, claimed
    return claimed.fence


def action_of(key: str, *commands: Command, fence: Fence | None = None) -> CriticalAction:
    """A critical action with a short limit."""
    return CriticalAction(key, commands, fence, timeout=20.0)
