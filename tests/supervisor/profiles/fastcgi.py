"""The load client before a FastCGI server: a new connection for each request, as nginx does."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from tests.supervisor.load import Client, Failed, Load, Result, connect

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6
_HEAD = struct.Struct("!BBHHBx")


def request(script: str) -> bytes:
    """A GET of one script."""
    words = {"REQUEST_METHOD": "GET", "SCRIPT_FILENAME": script}
    pairs = b"".join(
        bytes([len(name), len(value)]) + name.encode() + value.encode()
        for name, value in words.items()
    )
    begin = struct.pack("!HB5x", 1, 0)  # responder; close afterwards
    records = ((_BEGIN, begin), (_PARAMS, pairs), (_PARAMS, b""), (_STDIN, b""))
    return b"".join(_HEAD.pack(1, kind, 1, len(data), 0) + data for kind, data in records)


def exchange(link: socket.socket, asked: bytes) -> bytes:
    """The body of the answer."""
    try:
        link.sendall(asked)
        heard, kind = b"", 0
        while kind != _END:
            _, kind, _, length, padding = _HEAD.unpack(_exactly(link, _HEAD.size))
            data = _exactly(link, length + padding)[:length]
            heard += data if kind == _STDOUT else b""
    except TimeoutError as error:
        raise Failed("timeout", str(error)) from None
    except OSError as error:
        raise Failed("reset", str(error)) from None
    head, _, body = heard.partition(b"\r\n\r\n")
    if b"Status: " in head:
        raise Failed("status", head.decode(errors="replace"))
    return body


def _exactly(link: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size:
        if not (part := link.recv(size - len(heard))):
            raise Failed("eof", "before the end of the answer")
        heard += part
    return heard


class FastCgiClient(Client):
    """One connection after the other."""

    def _ask(self) -> bytes:
        link = connect(self.load.to)
        with link:
            return exchange(link, self.request)


class FastCgiLoad(Load):
    """To the path of a socket; ``path`` is the script."""

    def __init__(self, to: str, *, rate: float, connections: int, path: str) -> None:
        super().__init__(to, rate=rate, connections=0, path=path)
        self._clients = [FastCgiClient(self, "each") for _ in range(connections)]
        for client in self._clients:
            client.request = request(path)


class Running:
    """As the one of the other load client."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.result: Result | None = None

    def end(self, until: str = "") -> Result:
        """Stop it, once the version ``until`` has answered, and hear what it has to tell."""
        self.result = self.result or self._load.stop(until)
        return self.result


@contextlib.contextmanager
def loading(to: str, *, rate: float, connections: int, path: str) -> Iterator[Running]:
    """Load from here to the end of the block."""
    load = FastCgiLoad(to, rate=rate, connections=connections, path=path)
    load.start()
    running = Running(load)
    try:
        yield running
    finally:
        running.end()
