"""What can be asked of a release before it is live, where it says itself how a copy is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.model import Verdict


@runtime_checkable
class ComesWithRelease(Protocol):
    """A runtime whose instances may be described in the release that a deploy brings."""

    async def makeable(self, transport: Transport, release: str) -> Sequence[Verdict]:
        """Whether the next copy can be made as the release in this folder of the host says; "" is
        the live one. Nothing is told where a release does not say it."""
        ...


async def makeable(runtime: Runtime, transport: Transport, release: str = "") -> Sequence[Verdict]:
    """Of any runtime."""
    if not isinstance(runtime, ComesWithRelease):
        return ()
    return await runtime.makeable(transport, release)
