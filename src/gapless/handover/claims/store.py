"""What a place for claims can do: say *won*, *lost*, or give no answer. No error is ever *lost*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Busy(Exception):
    """Somebody else is at it: the same may be tried again at once."""


class NoAnswer(Exception):
    """Neither won nor lost. Says why."""


@dataclass(frozen=True)
class Answer:
    """Of a claim that was answered."""

    won: bool
    pending_of: str = ""
    """Who has claimed the event and not done it yet, where it was not won."""


WON = Answer(won=True)
LOST = Answer(won=False)


class Transaction(Protocol):
    """Open until one of its ends. Where it is an asyncio one, its methods are coroutines."""

    @property
    def connection(self) -> Any:
        """What the handler writes with."""

    def claim(self, event_id: str) -> Any:
        """True when it was won. Raises Busy, NoAnswer."""

    def commit(self) -> Any:
        """Raises NoAnswer."""

    def rollback(self) -> Any:
        """As if nothing had been."""


class Store(Protocol):
    """Used by any thread. Every method raises Busy or NoAnswer."""

    remote: bool
    """Whether it waits for another machine or process, so that a loop must not."""
    horizon_ms: int
    """How long claims live."""

    def open(self) -> None:
        """So that it is known early when it cannot be had."""

    def claim(self, event_id: str, *, done: bool) -> Answer:
        """``done``: nobody may claim it again, even if this process dies."""

    def take_over(self, event_id: str, dead: str) -> Answer:
        """The pending claim of an owner that is dead."""

    def finish(self, event_id: str) -> None:
        """Marks the own claim as done."""

    def is_alive(self, owner: str) -> bool:
        """Whether this process lives."""

    def sweep(self) -> int:
        """Forgets some of what is older than the horizon, and says how much."""

    def close(self) -> None:
        """The owner is dead for others from now on."""


class Transacting(Protocol):
    """A store in a database that may hold the effects, too."""

    def begin(self) -> Transaction:
        """Raises Busy, NoAnswer."""


class AsyncTransacting(Protocol):
    """The same where the handler is a coroutine function and the database is remote."""

    async def begin_async(self) -> Transaction:
        """Raises Busy, NoAnswer."""
