"""An asyncio loop for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class LoopThread:
    """An asyncio loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="handover", daemon=True)
        self._thread.start()

    def run(self, doing: Any) -> None:
        """Returns when it is done; raises what it raises."""
        asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def soon(self, act: Callable[[], None]) -> None:
        """From any thread, and from a signal handler."""
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            # it has ended, and nobody is interested any more
            return

    def end(self) -> None:
        """When nothing is left to run in it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
