"""What a copy and a balancer have to offer where copies hand over to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from gapless.drivers.balancers.base import AddsMembers
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Fence, Instance, Verdict

HANDED_OVER = frozenset(("handover", "active copy", "event lock"))
"""Checks of ``fit`` that nobody may answer for: two copies could be active without a lock."""


@runtime_checkable
class HandsOver(Protocol):
    """A copy that can be started with the variables of the protocol. All commands are harmless to
    repeat, and run before the copy is started or while it runs."""

    async def prepare(
        self, transport: Transport, variables: Mapping[str, str]
    ) -> tuple[Command, ...]:
        """Have its next start find these (HANDOVER_ID, …), also one after a crash or a reboot, and
        no others of the protocol. Its restart policy is its own again. Nothing is started."""
        ...

    async def disarm(self, transport: Transport) -> tuple[Command, ...]:
        """Have nobody start it again when it ends, neither its supervisor nor a reboot: what a
        reboot starts from then on is the other copy. It goes on running."""
        ...

    async def rearm(self, transport: Transport) -> tuple[Command, ...]:
        """Undo that."""
        ...

    async def forget(self, transport: Transport) -> tuple[Command, ...]:
        """Leave nothing of the variables: the copy is gone for good."""
        ...

    async def account(self, transport: Transport) -> str:
        """Name or uid of the account that the program runs as; "" when nobody knows."""
        ...


@runtime_checkable
class SeatsCopies(AddsMembers, Protocol):
    """A balancer that has to know of a copy before it is started (``add``) and when it has ended
    (``remove``)."""

    async def recall(self, instance: Instance, fences: Sequence[Fence]) -> bool:
        """Have a copy go on that may be on its way out. Whether it does; if not, it takes a start,
        and what still lives of it has to be ended before."""
        ...

    async def fit(self, instance: Instance, *, forced: bool) -> tuple[Verdict, ...]:
        """Whether the copy that serves could be replaced now. ``forced`` leaves out what a person
        may answer for."""
        ...
