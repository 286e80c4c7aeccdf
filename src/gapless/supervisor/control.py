"""The control socket: one request a connection, a JSON line each way. Only our own user and root
can open it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable

from gapless.supervisor.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 4096


class Caller:
    """Somebody who waits for an answer."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    @classmethod
    def inherited(cls, fd: int) -> Caller:
        """One that waited while our process replaced itself."""
        os.set_inheritable(fd, False)
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """Of the connection."""
        return self._connected.fileno()

    def detach(self) -> socket.socket:
        """The socket itself."""
        return self._connected

    def answer(self, reply: dict[str, Any]) -> None:
        """Once. Who has gone away meanwhile hears nothing. A fresh connection takes far more than
        a reply at once, so nobody is waited for."""
        with contextlib.suppress(OSError):
            self._connected.setblocking(False)
            self._connected.send(json.dumps(reply).encode() + b"\n")
        self._connected.close()


Asked = Callable[[dict[str, "Any"], Caller], None]


class Control:
    """Accepts, reads the request, hands it on."""

    def __init__(self, loop: Loop, listening: socket.socket, asked: Asked) -> None:
        self._loop, self._listening, self._asked = loop, listening, asked
        listening.setblocking(False)
        loop.watch(listening.fileno(), READ, self._accept)

    def fileno(self) -> int:
        """Of the listening socket."""
        return self._listening.fileno()

    def close(self) -> None:
        """Nobody is answered any more."""
        self._loop.forget(self._listening.fileno())
        self._listening.close()

    def _accept(self, _events: int) -> None:
        try:
            connected, _ = self._listening.accept()
        except OSError:
            return
        connected.setblocking(False)
        _Reading(self._loop, connected, self._asked)


class _Reading:
    """A connection whose request is not complete."""

    def __init__(self, loop: Loop, connected: socket.socket, asked: Asked) -> None:
        self._loop, self._connected, self._asked = loop, connected, asked
        self._read = b""
        loop.watch(connected.fileno(), READ, self._more)

    def _more(self, _events: int) -> None:
        try:
            part = self._connected.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self._read += part
        if not part or len(self._read) > _LONGEST:
            self._loop.forget(self._connected.fileno())
            self._connected.close()
        elif b"\n" in self._read:
            self._loop.forget(self._connected.fileno())
            self._hand_on()

    def _hand_on(self) -> None:
        caller = Caller(self._connected)
        try:
            request = json.loads(self._read.partition(b"\n")[0])
        except ValueError:
            request = None
        if isinstance(request, dict):
            self._asked(request, caller)
        else:
            caller.answer({"ok": False, "code": 2, "what": "not a request"})
