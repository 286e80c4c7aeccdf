"""Threads for events that were kept, in the face for programs with threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Workers:
    """Threads for kept events. What comes first is begun first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """All of them, at once."""
        for number in range(self._count):
            threading.Thread(target=self._work, name=f"handover-{number}", daemon=True).start()

    def put(self, carry: Callable[[], None]) -> None:
        """Begun when one of them is free."""
        self._waiting.put(carry)

    def end(self) -> None:
        """Each when it has nothing in hand."""
        for _ in range(self._count):
            self._waiting.put(None)

    def _work(self) -> None:
        while (carry := self._waiting.get()) is not None:
            carry()
