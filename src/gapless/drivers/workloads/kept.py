"""The one connection that a client keeps, to one member after the other.

1. It stays with a member for as long as that takes anything new, and goes on to the next one then.
2. What is under way on a connection that was left may still be answered: it is closed at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from gapless.drivers.workloads.addresses import Turns


class Connection(Protocol):
    """``leaving``: why nothing new is said there; "" where it may be."""

    leaving: str

    async def close(self) -> None:
        """Nothing is under way any more."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=Connection)
AnswerT = TypeVar("AnswerT")


class Kept(Generic[ConnectionT]):
    """``opened`` makes a connection to an address."""

    def __init__(
        self, addresses: tuple[str, ...], opened: Callable[[str], Awaitable[ConnectionT]]
    ) -> None:
        self._turns = Turns(addresses)
        self._opened = opened
        self._former: list[ConnectionT] = []
        self._connecting = asyncio.Lock()
        self.client: ConnectionT | None = None

    async def now(self) -> ConnectionT:
        """The connection, to the next member where there is none that takes anything new. Raises
        what ``opened`` raises."""
        async with self._connecting:
            if self.client is not None and self.client.leaving:
                self.leave(self.client)
            if self.client is None:
                address = self._turns.now
                try:
                    self.client = await self._opened(address)
                except BaseException:  # cancelled, too: it was silent for too long
                    self._turns.leave(address)
                    raise
            return self.client

    async def asked(self, what: Callable[[ConnectionT], Awaitable[AnswerT]]) -> AnswerT:
        """What came of it on the connection, which is left where it was silent for too long."""
        client = await self.now()
        try:
            return await what(client)
        except asyncio.CancelledError:
            self.leave(client)
            raise

    def leave(self, client: ConnectionT | None) -> None:
        """Nothing new is said there; what is under way may still be answered."""
        if client is not None and self.client is client:
            self.client = None
            self._former.append(client)
            self._turns.leave(self._turns.now)

    async def close(self) -> None:
        """All of them are closed."""
        self.leave(self.client)
        for client in self._former:
            await client.close()

    def __str__(self) -> str:
        return str(self._turns)
