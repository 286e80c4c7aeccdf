"""A way to whoever answers at an address: the first of some that accepts."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable

from gapless.supervisor.evidence import why
from gapless.supervisor.loop import WRITE, Deadline, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Address = tuple[socket.AddressFamily, "Any"]
_QUEUE_FULL_AGAIN = 0.02
"""A unix socket whose queue is full gives no event when that changes."""


class Connection:
    """A socket on its way to the first of its addresses that accepts."""

    lingers = False
    so_far = ""

    def __init__(
        self,
        loop: Loop,
        addresses: Iterable[Address],
        connected: Callable[[socket.socket], None],
        failed: Callable[[str], None],
    ) -> None:
        self._loop, self._left = loop, list(addresses)
        self._connected, self._failed = connected, failed
        self._socket: socket.socket | None = None
        self._to: Address = self._left[0]
        self._queue_full: Deadline | None = None

    def begin(self) -> None:
        """Try the next address. Raises OSError when there are no sockets to be had."""
        self._to = self._left.pop(0)
        self._socket = socket.socket(self._to[0], socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._try(0)

    def end(self) -> None:
        """Close it."""
        if self._queue_full is not None:
            self._queue_full.cancel()
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _try(self, _: int) -> None:
        """Asking the kernel again tells how far it is; an event that was meant for an earlier
        owner of the descriptor does no harm."""
        if self._socket is None:
            return
        number = self._socket.connect_ex(self._to[1])
        if number in (errno.EINPROGRESS, errno.EALREADY):
            self._loop.watch(self._socket.fileno(), WRITE, self._try)
        elif number == errno.EAGAIN:
            self._queue_full = self._loop.after(_QUEUE_FULL_AGAIN, lambda: self._try(0))
        elif number not in (0, errno.EISCONN) or self._met_itself(self._socket):
            self._next_or_failed(number or errno.ECONNREFUSED)
        else:
            self._loop.forget(self._socket.fileno())
            self._connected(self._socket)

    def _met_itself(self, connected: socket.socket) -> bool:
        """A port out of the range for outgoing connections, and nobody there: once in a while the
        kernel picks it for the asker, who then answers himself."""
        if self._to[0] == socket.AF_UNIX:
            return False
        try:
            return bool(connected.getsockname() == connected.getpeername())
        except OSError:  # already reset
            return False

    def _next_or_failed(self, number: int) -> None:
        self.end()
        if not self._left:
            self._failed(os.strerror(number))
            return
        try:
            self.begin()
        except OSError as error:
            self._failed(why(error))


def internet(place: str) -> list[Address]:
    """Of ``HOST:PORT``. Numbers alone, and localhost, which needs no asking: looking up any other
    name would block."""
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f"no port in {place}")
    hosts = ("127.0.0.1", "::1") if host.lower() == "localhost" else (host.strip("[]"),)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = [
            # bytes: text would load the codec for international names
            socket.getaddrinfo(one.encode(), port, type=socket.SOCK_STREAM, flags=flags)[0]
            for one in hosts
            if one
        ]
    except socket.gaierror:
        found = []
    if not found:
        raise ValueError(f"no address in numbers: {place}")
    return [(one[0], one[4]) for one in found]


def unix(path: str) -> Address:
    """Of a path, or ``@NAME`` of an abstract one."""
    name = os.fsencode(path)
    if not name or b"\0" in name or len(name) > 107:
        raise ValueError(f"not the path of a socket: {path}")
    return socket.AF_UNIX, b"\0" + name[1:] if name.startswith(b"@") else name
