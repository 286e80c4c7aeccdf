"""What is asked of a service as a whole, where it has two copies: the copy that serves answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from gapless.drivers.runtimes.base import Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.paired import CopyRuntime
from gapless.drivers.transports.base import Transport
from gapless.model import Completed, Observation, Verdict
from gapless.supervisor.spec import SLOTS

Copy = TypeVar("Copy", bound=CopyRuntime)


class Pair(ABC, Generic[Copy]):
    """A ``Paired`` runtime of ``copies`` by slot. What tells nothing of a single copy is asked of
    the first."""

    def __init__(self, copies: Mapping[str, Copy]) -> None:
        self._copies = copies
        self._either = copies[SLOTS[0]]

    def copy(self, slot: str) -> Copy:
        """The copy in a slot."""
        return self._copies[slot]

    @abstractmethod
    async def live(self, transport: Transport) -> str:
        """See ``Paired``."""

    async def observe(self, transport: Transport) -> Observation:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).observe(transport)

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).preflight(transport)

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).snapshot(transport, folder)

    async def fingerprint(self, transport: Transport) -> str:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).fingerprint(transport)

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """In place: of the copy that serves."""
        speaker = await self._speaker(transport)
        return await speaker.replacement(transport, install, reload_allowed)

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """In place: of the copy that serves."""
        return await (await self._speaker(transport)).restoration(transport, snapshot)

    async def log(self, transport: Transport, since: float) -> str:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).log(transport, since)

    def home(self, host: str, now: Observation) -> str:
        """The same for both."""
        return self._either.home(host, now)

    def refusal(self, last: Completed) -> Refusal | None:
        """The same for both."""
        return self._either.refusal(last)

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """The same for both."""
        return self._either.replaced(before, now, manner)

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """The same for both."""
        return self._either.soak_identity(ready)

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """Which copy is meant, the copy knows."""
        return self._either.manual(snapshot)

    def look(self, host: str) -> str:
        """The same for both."""
        return self._either.look(host)

    async def _speaker(self, transport: Transport) -> Copy:
        return self._copies[await self.live(transport) or SLOTS[0]]
