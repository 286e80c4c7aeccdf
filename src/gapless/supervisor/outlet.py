"""One of our own streams, as the copies and we ourselves write to it: in order, and without ever
waiting for whoever reads.
"""

from __future__ import annotations

import os
import socket
import stat
from collections import deque
from collections.abc import Callable

from gapless.supervisor.loop import WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PART = 4096
"""A pipe that can be written to takes so much at once, or nothing (PIPE_BUF)."""
_MOST = 1 << 20
"""Bytes that are held; copies stop writing long before."""
_LINE = 0.2
"""Seconds that a copy may take to end a line, before we say something ourselves."""


class Outlet:
    """``fd`` is 1 or 2."""

    def __init__(self, loop: Loop, fd: int) -> None:
        self._loop, self.fd = loop, fd
        self._begun = False
        """Whether we are in the middle of a line."""
        self._told = b""
        """Lines of our own that wait for its end."""
        self._end = -1
        self._is_file = False
        self._socket: socket.socket | None = None
        self._parts: deque[bytes] = deque()
        self._freed: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        """Whether something waits for whoever reads."""
        return bool(self._parts)

    def put(self, text: bytes) -> None:
        """After all that was put before."""
        if not text or len(self._parts) * PART >= _MOST:
            return
        line, end, rest = text.partition(b"\n")
        if self._told and end:
            told, self._told = self._told, b""
            text = line + end + told + rest
        self._begun = not text.endswith(b"\n")
        waits = self.full
        self._parts.extend(text[at : at + PART] for at in range(0, len(text), PART))
        if not waits:
            self._write()

    def tell(self, line: str) -> None:
        """A line of our own, but not in the middle of another's."""
        self._told += line.encode() + b"\n"
        if not self._begun:
            self.tell_now()
        else:
            self._wait_for_line()

    def tell_now(self) -> None:
        """Whatever was begun."""
        told, self._told = self._told, b""
        self.put((b"\n" if told and self._begun else b"") + told)

    def when_free(self, call: Callable[[], None]) -> None:
        """Once, when all is written."""
        self._freed.append(call)

    def state(self) -> list[Any]:
        """What ``restore`` takes."""
        return [b"".join(self._parts).hex(), self._begun, self._told.hex()]

    def restore(self, state: list[Any]) -> None:
        """What was not written yet when our process replaced itself."""
        self.put(bytes.fromhex(state[0]))
        self._begun, self._told = state[1], bytes.fromhex(state[2])
        if self._told:
            self._wait_for_line()

    def _wait_for_line(self) -> None:
        self._loop.after(_LINE, self._line_is_late)

    def _line_is_late(self) -> None:
        if self.full:  # nothing can be written: it is not the copy that is slow
            self.when_free(self._wait_for_line)
        else:
            self.tell_now()

    def _write(self, _events: int = 0) -> None:
        self._open()
        while self._parts:
            part = self._parts[0]
            try:
                done = self._send(part)
            except BlockingIOError:
                self._loop.watch(self._end, WRITE, self._write)
                return
            except OSError:  # nobody reads any more: the copies are not to end for that
                done = len(part)
            if done < len(part):
                self._parts[0] = part[done:]
            else:
                self._parts.popleft()
        self._loop.forget(self._end)
        freed, self._freed = self._freed, []
        for call in freed:
            call()

    def _send(self, part: bytes) -> int:
        if self._socket is not None:
            return self._socket.send(part, socket.MSG_DONTWAIT)
        if self._is_file:  # whatever others wrote there, by ways of their own, stays
            os.lseek(self._end, 0, os.SEEK_END)
        return os.write(self._end, part)

    def _open(self) -> None:
        """An end of our own that does not block, without changing that for those who share it. A
        file never blocks: there it is theirs, as where the next one writes is told by the place
        that all who inherited it share."""
        if self._end >= 0:
            return
        try:
            mode = os.fstat(self.fd).st_mode
            if stat.S_ISREG(mode):
                self._end, self._is_file = self.fd, True
                return
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(self.fd))
                self._end = self._socket.fileno()
                return
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_APPEND | os.O_NOCTTY
            self._end = os.open(f"/proc/self/fd/{self.fd}", flags)
        except OSError:  # another user's terminal
            self._end = self.fd


def both(loop: Loop) -> dict[int, Outlet]:
    """Ours, by number; only one where both lead to the same place."""
    out = Outlet(loop, 1)
    return {1: out, 2: out if os.path.sameopenfile(1, 2) else Outlet(loop, 2)}
