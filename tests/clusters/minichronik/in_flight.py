"""Requests of clients that are at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .refusal import Refusal
from .settings import Lie, Settings


class InFlight:
    def __init__(self, settings: Settings) -> None:
        self._hangs = settings.lie is Lie.HUNG_DRAIN
        self.draining = asyncio.Event()
        self.count = 0
        self._left = asyncio.Event()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Refused once they are drained."""
        if self.draining.is_set():
            raise Refusal(503, "SHUTTING_DOWN")
        self.count += 1
        try:
            yield
            if self._hangs and self.draining.is_set():
                await asyncio.Event().wait()
        finally:
            self.count -= 1
            self._left.set()

    async def drain(self) -> None:
        """Takes none any more; returns when there are none."""
        self.draining.set()
        if self._hangs:  # one of its own, so that the hang is no matter of luck
            self.count += 1
        while self.count:
            self._left.clear()
            await self._left.wait()
