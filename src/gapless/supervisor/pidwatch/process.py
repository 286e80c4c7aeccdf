"""A process that is held, so that its number cannot come to mean another."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

from gapless.supervisor import processes


class Process:
    """One that is held by a pidfd, so that its number cannot come to mean another. Raises
    ProcessLookupError when there is none."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hold it no longer."""
        os.close(self.fd)

    def ended(self) -> bool:
        """Also when nobody has waited for it yet."""
        return bool(select.select([self.fd], [], [], 0)[0])

    def send(self, number: int) -> None:
        """Raises ProcessLookupError when it was waited for already."""
        signal.pidfd_send_signal(self.fd, number)

    def parent(self) -> int:
        """0 when it has none, or has ended."""
        found = processes.parent(self.pid)
        return 0 if self.ended() else max(0, found)

    def descends_from(self, ancestor: int) -> bool:
        """By the chain of parents. Each link is held while the next is asked for: when a link ends
        in between, its children have another parent, and are asked again."""
        while parent := self.parent():
            if parent == ancestor:
                return True
            with suppress(ProcessLookupError), Process(parent) as above:
                if self.parent() == parent and above.descends_from(ancestor):
                    return True
            if self.parent() == parent:
                return False
        return False
