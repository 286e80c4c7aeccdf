"""One request of the controller while it is being answered."""

from __future__ import annotations

import threading

from gapless.hostside.faults import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Call:
    """What a verb gets: its arguments, and whether anybody still wants the answer."""

    def __init__(self, number: int, verb: str, args: dict[str, Any]) -> None:
        self.number = number
        self.verb = verb
        self.args = args
        self.cancelled = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait; raises Cancelled as soon as the answer is no longer wanted."""
        if self.cancelled.wait(max(seconds, 0)):
            raise Cancelled

    def check(self) -> None:
        """Raise Cancelled when the answer is no longer wanted."""
        if self.cancelled.is_set():
            raise Cancelled
