"""One GET, and its answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable

from gapless.supervisor.connection import Address, Connection, internet, unix
from gapless.supervisor.evidence import Answered, why, words
from gapless.supervisor.http_answer import HttpAnswer
from gapless.supervisor.loop import READ, WRITE, Loop

_PRINTABLE = frozenset(range(0x21, 0x7F)) - frozenset(b"#")


class Request:
    """``judge`` says what is to be thought of the answer."""

    lingers = False

    def __init__(
        self,
        loop: Loop,
        addresses: Iterable[Address],
        host: str,
        path: str,
        answer: HttpAnswer,
        judge: Callable[[HttpAnswer], tuple[bool, str, str]],
        answered: Answered,
    ) -> None:
        self._loop, self._answer, self._judge, self._answered = loop, answer, judge, answered
        self._rest = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gapless\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        self._connection = Connection(loop, addresses, self._connected, self._failed)

    @property
    def so_far(self) -> str:
        """The head, or that it is missing."""
        return f"{self._answer.status} {words(self._answer)}" if self._answer.status else ""

    def begin(self) -> None:
        """Connect, send, receive."""
        self._connection.begin()

    def end(self) -> None:
        """Close the connection."""
        self._connection.end()

    def _failed(self, why: str) -> None:
        self._answered(False, why, "")

    def _connected(self, connected: socket.socket) -> None:
        self._loop.watch(connected.fileno(), WRITE, lambda _: self._send(connected))

    def _send(self, connected: socket.socket) -> None:
        try:
            self._rest = self._rest[connected.send(self._rest) :]
        except BlockingIOError:
            return
        except OSError:  # it has closed, but may have said why
            self._rest = b""
        if not self._rest:
            self._loop.watch(connected.fileno(), READ, lambda _: self._receive(connected))

    def _receive(self, connected: socket.socket) -> None:
        try:
            data = connected.recv(max(1, min(16384, self._answer.room)))
        except BlockingIOError:
            return
        except OSError as error:
            self._answered(False, why(error), self.so_far)
            return
        if data:
            self._answer.feed(data)
        else:
            self._answer.closed()
        if self._answer.over:
            self._answered(*self._judge(self._answer))


def place_of(target: str) -> tuple[list[Address], str, str]:
    """Addresses, Host and path of ``HOST:PORT/PATH`` or ``unix:/SOCKET:/PATH``."""
    if target.startswith("unix:"):
        place, _, path = target.removeprefix("unix:").partition(":/")
        return [unix(place)], "localhost", "/" + quoted(path)
    place, _, path = target.partition("/")
    return internet(place), place, "/" + quoted(path)


def quoted(path: str, also: bytes = b"") -> str:
    """What may not stand in a request line, as ``%20``."""
    plain = _PRINTABLE.difference(also)
    return "".join(chr(c) if c in plain else f"%{c:02X}" for c in os.fsencode(path))
