"""Runtimes whose instances may have two copies beside each other, in slots a and b."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from gapless.drivers.runtimes.base import Replacement, Runtime, RuntimeSnapshot
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import Instance, InstanceState, Observation
from gapless.supervisor.spec import SLOTS


class CopyRuntime(Runtime, Protocol):
    """One of the two copies: a runtime like any other, that can also be ended for good."""

    async def ending(
        self, transport: Transport, back_to: RuntimeSnapshot | None = None
    ) -> Replacement:
        """Commands that stop the copy and leave nothing of it that a reboot would start. The other
        copy is what starts then, where this one did. With ``back_to`` the files of both are again
        what they were."""
        ...

    def end_by_hand(self) -> str:
        """The command with which a person ends the copy."""
        ...


@runtime_checkable
class Paired(Protocol):
    """Hands out the two copies. As a runtime of its own it speaks for the one that serves."""

    def copy(self, slot: str) -> CopyRuntime:
        """The copy in a slot, whether it is there or not."""
        ...

    async def live(self, transport: Transport) -> str:
        """Slot of the copy that serves: the one that runs, of two the one that has run longer.
        Where none runs, the one that would after a reboot; "" when none is installed."""
        ...


async def copy_of(
    runtime: Runtime, transport: Transport, instance: Instance, slot: str = ""
) -> tuple[Runtime, Instance]:
    """An instance by the copy in this slot, or by the one that serves; as it is where there is but
    one, or none at all."""
    if not isinstance(runtime, Paired):
        return runtime, instance
    slot = slot or await runtime.live(transport)
    if not slot:
        return runtime, instance
    copy = runtime.copy(slot)
    address = (await copy.observe(transport)).detail.get("address", "")
    return copy, replace(instance, slot=slot, address=address)


def copies_of(runtime: Runtime, instance: Instance) -> tuple[Instance, ...]:
    """Both copies that an instance may have, or the instance itself."""
    if not isinstance(runtime, Paired):
        return (instance,)
    return tuple(replace(instance, slot=slot) for slot in SLOTS)


async def located(
    runtime: Runtime, transport: Transport, copies: Iterable[Instance]
) -> tuple[Instance, ...]:
    """Copies of an instance, each at the address of its own that it has now. Raises HostFault where
    nobody can tell, and TransportError."""
    if not isinstance(runtime, Paired):
        return tuple(copies)
    found = []
    for copy in copies:
        now = await runtime.copy(copy.slot).observe(transport)
        if now.state is InstanceState.UNKNOWN:
            said = now.detail.get("status", "")
            raise HostFault(f"nobody knows where {copy} is", where=copy.host, evidence=said)
        found.append(replace(copy, address=now.detail.get("address", "")))
    return tuple(found)


def beside(slot: str) -> str:
    """The other slot; the first one where nothing is in either."""
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]


_RANK = (
    InstanceState.RUNNING,
    InstanceState.STARTING,
    InstanceState.STOPPING,
    InstanceState.UNKNOWN,
    InstanceState.FAILED,
    InstanceState.STOPPED,
)


def serving(copies: Mapping[str, Observation], lasting: Collection[str] = ()) -> str:
    """See ``Paired.live``; ``lasting`` are slots whose copies a reboot would start."""
    there = [slot for slot, seen in copies.items() if seen.state in _RANK]
    return min(there, key=lambda slot: _order(slot, copies[slot], lasting), default="")


def _order(slot: str, seen: Observation, lasting: Collection[str]) -> tuple[int, float, bool]:
    up = seen.state not in (InstanceState.FAILED, InstanceState.STOPPED)
    return _RANK.index(seen.state), (seen.since or 0.0) if up else 0.0, slot not in lasting
