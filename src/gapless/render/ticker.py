"""Something done again and again on the running event loop, without holding anything up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Ticker:
    """Calls ``action`` every ``every`` seconds; without a running loop it simply never does."""

    def __init__(self, every: float, action: Callable[[], None]) -> None:
        self._every = every
        self._action = action
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, once."""
        if self._handle is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._handle = loop.call_later(self._every, self._tick, loop)

    def stop(self) -> None:
        """End it."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(self._every, self._tick, loop)
        self._action()
