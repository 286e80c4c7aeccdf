"""One helper per privilege level, started when it is first needed."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gapless.drivers.transports.session import HelperSession
from gapless.errors import LostContact


class Start(Protocol):
    """Starts the helper of a level."""

    async def __call__(self, *, sudo: bool) -> HelperSession:
        """The started session."""
        ...


class Levels:
    """The helpers of one host, between ``open`` and ``close``."""

    def __init__(self, host: str, start: Start) -> None:
        self._host = host
        self._start = start
        self._opened = False
        self._sessions: dict[bool, HelperSession] = {}
        self._starting: dict[bool, asyncio.Lock] = {False: asyncio.Lock(), True: asyncio.Lock()}

    async def open(self) -> None:
        """Allow helpers to be started, also again in place of those that were lost."""
        self._opened = True
        for sudo, session in list(self._sessions.items()):
            if not session.alive:
                del self._sessions[sudo]
                await session.close()

    async def get(self, *, sudo: bool) -> HelperSession:
        """The helper of a level. A lost one is not replaced before ``open`` is called again:
        whoever lost it must know, since the host may have ended what it was doing."""
        if not self._opened:
            raise LostContact("not connected", where=self._host)
        async with self._starting[sudo]:
            if sudo not in self._sessions:
                self._sessions[sudo] = await self._start(sudo=sudo)
            return self._sessions[sudo]

    def up(self, *, sudo: bool) -> bool:
        """Whether the helper of a level is running."""
        return sudo in self._sessions and self._sessions[sudo].alive

    async def close(self) -> None:
        """End all of them."""
        self._opened = False
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.close() for session in sessions))
