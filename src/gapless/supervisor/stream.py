"""One pipe that a copy writes to: read, kept, and passed on as fast as that is taken."""

from __future__ import annotations

import fcntl
import os
from collections import deque

from gapless.supervisor.loop import READ, Loop
from gapless.supervisor.outlet import PART, Outlet

_LONGEST = 4096
"""Of a line that is kept."""


class Stream:
    """Whoever reads slowly holds up the copies, as without us, and nobody else."""

    def __init__(
        self, loop: Loop, read: int, to: int, outlet: Outlet, lines: deque[str]
    ) -> None:  # fmt: skip
        self._loop, self.read, self.to, self._outlet, self._lines = loop, read, to, outlet, lines
        os.set_blocking(read, False)
        os.set_inheritable(read, False)
        self._rest = b""
        self._go_on()

    def drain(self) -> None:
        """What is there now; one that writes without end does not keep us."""
        if self.read < 0:
            return
        for _ in range(fcntl.fcntl(self.read, fcntl.F_GETPIPE_SZ) // PART):
            if not self._take():
                return

    def close(self) -> None:
        """Nothing more is read."""
        if self.read >= 0:
            self._loop.forget(self.read)
            os.close(self.read)
            self.read = -1
        self._keep(b"\n" if self._rest else b"")

    def _go_on(self) -> None:
        if self.read >= 0:
            self._loop.watch(self.read, READ, self._readable)

    def _readable(self, _events: int) -> None:
        if self._outlet.full:
            self._loop.forget(self.read)
            self._outlet.when_free(self._go_on)
        else:
            self._take()

    def _take(self) -> bool:
        try:
            part = os.read(self.read, PART)
        except BlockingIOError:
            return False
        if not part:
            self.close()
            return False
        self._keep(part)
        self._outlet.put(part)
        return True

    def _keep(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._rest = self._rest[-_LONGEST:]
        self._lines.extend(line[-_LONGEST:].decode(errors="replace") for line in lines)
