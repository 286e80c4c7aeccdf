"""Somebody who waits for an answer, and the answers that are on their way."""

from __future__ import annotations

import contextlib
import json
import os
import socket

from gapless.supervisor.loop import WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATIENCE = 10.0
"""Seconds that somebody who does not listen is waited for."""
_AT_THE_END = 1.0
"""... all of them together, when we end."""


class Answers:
    """Who has heard a part of an answer. Nobody else waits for them."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._open: set[_Answer] = set()

    def send(self, to: socket.socket, text: bytes) -> None:
        """And hang up. Who has gone away meanwhile hears nothing."""
        answer = _Answer(self._loop, to, text, self._open)
        self._open.add(answer)
        answer.send()

    def state(self) -> list[list[Any]]:
        """For the process that takes our place: descriptors, and what is left to be said."""
        return [[one.to.fileno(), one.rest.decode("ascii")] for one in self._open]

    def restore(self, state: list[list[Any]]) -> None:
        """Go on where ``state`` was."""
        for fd, rest in state:
            self.send(connection(fd), rest.encode("ascii"))

    def finish(self) -> None:
        """We end: this waits, but not for long."""
        end = self._loop.now() + _AT_THE_END
        for answer in list(self._open):
            answer.finish(end - self._loop.now())


class _Answer:
    def __init__(
        self, loop: Loop, to: socket.socket, rest: bytes, among: set[_Answer]
    ) -> None:  # fmt: skip
        self._loop, self.to, self.rest, self._among = loop, to, rest, among
        self._limit = loop.after(_PATIENCE, self._close)
        to.setblocking(False)

    def send(self, _events: int = 0) -> None:
        try:
            self.rest = self.rest[self.to.send(self.rest) :]
        except BlockingIOError:
            pass
        except OSError:
            self.rest = b""
        if self.rest:
            self._loop.watch(self.to.fileno(), WRITE, self.send)
        else:
            self._close()

    def finish(self, seconds: float) -> None:
        with contextlib.suppress(OSError):
            self.to.settimeout(max(0.0, seconds))
            self.to.sendall(self.rest)
        self._close()

    def _close(self) -> None:
        self._limit.cancel()
        self._loop.forget(self.to.fileno())
        self.to.close()
        self._among.discard(self)


class Caller:
    """Answered once."""

    def __init__(self, answers: Answers, connected: socket.socket) -> None:
        self._answers, self._connected = answers, connected

    def fileno(self) -> int:
        """Of the connection."""
        return self._connected.fileno()

    def answer(self, reply: dict[str, Any]) -> None:
        """A line."""
        self._answers.send(self._connected, json.dumps(reply).encode("ascii") + b"\n")


def connection(fd: int) -> socket.socket:
    """One that was open when our process replaced itself."""
    os.set_inheritable(fd, False)
    return socket.socket(fileno=fd)
