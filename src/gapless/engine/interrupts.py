"""What a person at the keyboard asks of a running rollout."""

from __future__ import annotations

import asyncio


class Interrupts:
    """First Ctrl-C: finish the current batch and stop. Second: undo the current batch."""

    def __init__(self) -> None:
        self.stop = False
        self.undo = asyncio.Event()

    def stop_after_batch(self) -> None:
        """Begin nothing new."""
        self.stop = True

    def undo_current(self) -> None:
        """Begin nothing new and take back what is under way."""
        self.stop = True
        self.undo.set()
