"""The sink contract: somebody who wants to know, and who must never hold a rollout up."""

from __future__ import annotations

from typing import ClassVar, Protocol

from gapless.events.event import Event


class SinkError(Exception):
    """An event was not delivered. ``retry``: the same event may succeed later; ``after`` seconds
    is how long the receiver asked to be left alone."""

    def __init__(self, what: str, *, retry: bool = True, after: float = 0.0) -> None:
        super().__init__(what)
        self.what = what
        self.retry = retry
        self.after = after


class Sink(Protocol):
    """Receives events in order, one at a time."""

    spooled: ClassVar[bool]
    """Whether what cannot be delivered now is kept on disk and tried again; else it is counted
    and left to the journal."""

    @property
    def name(self) -> str:
        """What it is called in summaries; never shows a secret."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds one delivery may take."""
        ...

    async def deliver(self, event: Event) -> None:
        """Hand the event over, or raise SinkError."""
        ...

    def learn(self, event: Event) -> None:
        """Take note of an event that was delivered by an earlier process."""
        ...
