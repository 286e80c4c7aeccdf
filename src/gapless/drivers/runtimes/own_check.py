"""What a runtime can ask of an instance by itself, where ``health:`` asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Probe, Transport


@runtime_checkable
class HasOwnCheck(Protocol):
    """A runtime whose instances bring a check of their own."""

    async def own_check(self, transport: Transport) -> tuple[Probe, ...]:
        """The question; none where there is nothing that could be asked. Raises HostFault."""
        ...


async def asked_of(
    runtime: Runtime, transport: Transport, health: Sequence[Probe]
) -> Sequence[Probe]:
    """The questions of ``health:``, or else the instance's own."""
    if health or not isinstance(runtime, HasOwnCheck):
        return health
    return await runtime.own_check(transport)
