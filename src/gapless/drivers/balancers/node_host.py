"""The host that a node of a balancer runs on, and how it is spoken to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, LostContact, TransportError

T = TypeVar("T")


class NodeHost:
    """``host`` "" is the machine gapless runs on; ``balancer`` is the name that errors carry."""

    def __init__(self, balancer: str, host: str, transport: Callable[[], Transport]) -> None:
        self.balancer = balancer
        self.label = host or "localhost"
        """Name of the node for people."""
        self._transport = transport

    async def talk(
        self,
        say: Callable[[Transport], Awaitable[T]],
        *,
        what: str,
        hint: str,
        repeatable: bool = True,
    ) -> T:
        """What ``say`` brings back; after a lost connection it is said once more where that does
        no harm. Raises NoAnswer with ``what`` and, when nothing better is known, ``hint`` as the
        next command; FenceRefused as it is."""
        transport = self._transport()
        try:
            try:
                return await say(transport)
            except LostContact:
                if not repeatable:
                    raise
                await transport.connect()
                return await say(transport)
        except FenceRefused:
            raise
        except TransportError as error:
            raise NoAnswer(
                what,
                where=self.balancer,
                evidence="\n".join(filter(None, (str(error), error.evidence))),
                next=error.next or hint,
            ) from error
