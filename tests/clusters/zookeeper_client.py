"""As much of ZooKeeper's protocol as creates nodes and lists them."""

from __future__ import annotations

import socket
import struct

EXISTS = -110
_CREATE, _CHILDREN = 1, 8
_ANYBODY = struct.pack(">ii", 1, 31) + b"\x00\x00\x00\x05world\x00\x00\x00\x06anyone"


class ZooKeeperError(OSError):
    """The server answered with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class Client:
    """A session on one server. Everything raises OSError."""

    def __init__(self, address: str, port: int, limit: float = 1.0, session: int = 4000) -> None:
        self._socket = socket.create_connection((address, port), timeout=limit)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._xid = 0
        try:
            self._send(struct.pack(">iqiq", 0, 0, session, 0) + _text("\0" * 16) + b"\0")
            if struct.unpack(">ii", self._receive()[:8])[1] <= 0:
                raise ConnectionError("no session")
        except OSError:
            self._socket.close()
            raise

    def create(self, path: str, data: str) -> None:
        """Taken by a majority; also where it is there already: it was said before."""
        try:
            self._ask(_CREATE, _text(path) + _text(data) + _ANYBODY + struct.pack(">i", 0))
        except ZooKeeperError as error:
            if error.code != EXISTS:
                raise

    def children(self, path: str) -> set[str]:
        """As this server has them."""
        answer = self._ask(_CHILDREN, _text(path) + b"\0")
        (count,), place, found = struct.unpack(">i", answer[:4]), 4, set()
        for _ in range(count):
            (size,) = struct.unpack(">i", answer[place : place + 4])
            found.add(answer[place + 4 : place + 4 + size].decode())
            place += 4 + size
        return found

    def close(self) -> None:
        self._socket.close()

    def _ask(self, kind: int, body: bytes) -> bytes:
        self._xid += 1
        self._send(struct.pack(">ii", self._xid, kind) + body)
        answer = self._receive()
        xid, _, error = struct.unpack(">iqi", answer[:16])
        assert xid == self._xid
        if error:
            raise ZooKeeperError(error)
        return answer[16:]

    def _send(self, data: bytes) -> None:
        self._socket.sendall(struct.pack(">i", len(data)) + data)

    def _receive(self) -> bytes:
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self._socket.recv(size - len(got))
            if not more:
                raise ConnectionError("closed")
            got += more
        return got


def _text(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode()
