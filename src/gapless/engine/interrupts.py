"""What a person at the keyboard asks of a running rollout, and how it asks that person."""

from __future__ import annotations

import asyncio

from gapless.engine.approvals import Approver


class Interrupts:
    """First Ctrl-C: finish the current batch and stop. Second: undo the current batch."""

    def __init__(self, approver: Approver | None = None) -> None:
        self.stop = False
        self.undo = asyncio.Event()
        self.approver = approver
        """None: nobody can be asked."""

    def stop_after_batch(self) -> None:
        """Begin nothing new."""
        self.stop = True

    def undo_current(self) -> None:
        """Begin nothing new and take back what is under way."""
        self.stop = True
        self.undo.set()
