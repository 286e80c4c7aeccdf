"""The control socket: one request a connection, a JSON line each way. Only our own user and root
can open it."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable

from gapless.supervisor.caller import Answers, Caller, connection
from gapless.supervisor.loop import READ, Deadline, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 4096
_MOST = 16
"""Connections without a whole request. One more, and the oldest has to go: descriptors are for
copies."""
_HOLD = 0.1
"""No accepting for so long when there is no descriptor at all."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Asked = Callable[[dict[str, "Any"], Caller], None]


class Control:
    """Accepts, reads the request, hands it on."""

    def __init__(self, loop: Loop, listening: socket.socket, asked: Asked) -> None:
        self._loop, self._listening, self._asked = loop, listening, asked
        self._answers = Answers(loop)
        self._reading: list[_Reading] = []
        self._held: Deadline | None = None
        listening.setblocking(False)
        self._listen()

    @classmethod
    def inherited(cls, loop: Loop, state: dict[str, Any], asked: Asked) -> Control:
        """With all who had connected before our process replaced itself."""
        self = cls(loop, connection(state["listening"]), asked)
        for fd, read in state["reading"]:
            self._read(connection(fd), bytes.fromhex(read))
        self._answers.restore(state["answers"])
        return self

    def caller(self, fd: int) -> Caller:
        """One that waited while our process replaced itself."""
        return Caller(self._answers, connection(fd))

    def state(self) -> dict[str, Any]:
        """What ``inherited`` takes. Nobody who has connected is forgotten, whatever part of a
        request has come."""
        return {
            "listening": self._listening.fileno(),
            "reading": [[one.fileno(), one.read.hex()] for one in self._reading],
            "answers": self._answers.state(),
        }

    def close(self) -> None:
        """Who was answered may hear it; nobody else is heard any more."""
        self._loop.forget(self._listening.fileno())
        self._listening.close()
        self._answers.finish()

    def _listen(self) -> None:
        self._held = None
        self._loop.watch(self._listening.fileno(), READ, self._accept)

    def _accept(self, _events: int) -> None:
        try:
            connected, _ = self._listening.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._make_room()
            return
        self._read(connected)

    def _make_room(self) -> None:
        """It would fail again at once."""
        if self._reading:
            self._reading[0].close()
            return
        self._loop.forget(self._listening.fileno())
        self._held = self._loop.after(_HOLD, self._listen)

    def _read(self, connected: socket.socket, read: bytes = b"") -> None:
        if len(self._reading) >= _MOST:
            self._reading[0].close()
        self._reading.append(_Reading(self._loop, connected, read, self._heard, self._reading))

    def _heard(self, line: bytes, connected: socket.socket) -> None:
        caller = Caller(self._answers, connected)
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if isinstance(request, dict):
            self._asked(request, caller)
        else:
            caller.answer({"ok": False, "code": 2, "what": "not a request"})


class _Reading:
    """A connection whose request is not complete."""

    def __init__(
        self,
        loop: Loop,
        connected: socket.socket,
        read: bytes,
        heard: Callable[[bytes, socket.socket], None],
        among: list[_Reading],
    ) -> None:
        self._loop, self._connected, self._heard = loop, connected, heard
        self.read, self._among = read, among
        connected.setblocking(False)
        loop.watch(connected.fileno(), READ, self._more)

    def fileno(self) -> int:
        return self._connected.fileno()

    def close(self) -> None:
        self._let_go()
        self._connected.close()

    def _more(self, _events: int) -> None:
        try:
            part = self._connected.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self.read += part
        line, end, _ = self.read.partition(b"\n")
        if end and len(line) < _LONGEST:
            self._let_go()
            self._heard(line, self._connected)
        elif not part or len(self.read) > _LONGEST:
            self.close()

    def _let_go(self) -> None:
        self._among.remove(self)
        self._loop.forget(self._connected.fileno())


def descriptors(state: dict[str, Any]) -> list[int]:
    """That a state of the control socket names."""
    held = [*state["reading"], *state["answers"]]
    return [state["listening"], *(fd for fd, _ in held)]
