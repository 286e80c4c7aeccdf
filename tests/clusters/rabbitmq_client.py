"""A small client of RabbitMQ (AMQP 0-9-1), so that it is spoken to without gapless, and gives up
when it is told to."""

from __future__ import annotations

import socket
import struct
import time

_METHOD, _HEADER, _BODY, _HEARTBEAT, _END = 1, 2, 3, 8, b"\xce"
_START, _START_OK, _TUNE, _TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
_OPEN, _OPENED = (10, 40), (10, 41)
_CHANNEL, _CHANNEL_OPENED = (20, 10), (20, 11)
_CONFIRM, _CONFIRMED = (85, 10), (85, 11)
_PUBLISH, _GET, _GOT, _EMPTY, _ACK = (60, 40), (60, 70), (60, 71), (60, 72), (60, 80)
_BASIC = 60
_DURABLE = struct.pack(">HB", 1 << 12, 2)
"""Of all properties only the mode of delivery, which is to be kept."""


class Client:
    """One connection with one channel; one question at a time. Everything raises OSError where it
    comes to nothing, and within ``seconds``."""

    def __init__(self, address: str, port: int, user: str, password: str, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._socket = socket.create_connection((address, port), timeout=seconds)
        try:
            self._socket.sendall(b"AMQP\0\0\x09\x01")
            self._wait(_START)
            login = f"\0{user}\0{password}".encode()
            said = _table(b"") + _short("PLAIN") + _long(login) + _short("en_US")
            self._say(0, _START_OK, said)
            channels, frame, _ = struct.unpack(">HIH", self._wait(_TUNE))
            self._say(0, _TUNE_OK, struct.pack(">HIH", channels, frame, 0))
            self._say(0, _OPEN, _short("/") + b"\0\0")
            self._wait(_OPENED)
            self._say(1, _CHANNEL, b"\0")
            self._wait(_CHANNEL_OPENED)
            self._say(1, _CONFIRM, b"\0")
            self._wait(_CONFIRMED)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def publish(self, queue: str, text: str) -> None:
        """Until a majority of the queue has it."""
        self._until = time.monotonic() + self._seconds
        self._say(1, _PUBLISH, struct.pack(">H", 0) + _short("") + _short(queue) + b"\0")
        body = text.encode()
        header = struct.pack(">HHQ", _BASIC, 0, len(body)) + _DURABLE
        self._frame(_HEADER, 1, header)
        self._frame(_BODY, 1, body)
        self._wait(_ACK)

    def get(self, queue: str) -> str | None:
        """The first message, which is there no more; None for an empty queue."""
        self._until = time.monotonic() + self._seconds
        self._say(1, _GET, struct.pack(">H", 0) + _short(queue) + b"\x01")
        kind, data = self._next()
        if (kind, data[:4]) == (_METHOD, struct.pack(">HH", *_EMPTY)):
            return None
        if (kind, data[:4]) != (_METHOD, struct.pack(">HH", *_GOT)):
            raise OSError(f"answered {data[:80]!r}")
        _, header = self._next()
        (size,) = struct.unpack(">Q", header[4:12])
        body = b""
        while len(body) < size:
            body += self._next()[1]
        return body.decode()

    def _say(self, channel: int, method: tuple[int, int], data: bytes) -> None:
        self._frame(_METHOD, channel, struct.pack(">HH", *method) + data)

    def _frame(self, kind: int, channel: int, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(struct.pack(">BHI", kind, channel, len(data)) + data + _END)

    def _wait(self, method: tuple[int, int]) -> bytes:
        kind, data = self._next()
        if kind != _METHOD or data[:4] != struct.pack(">HH", *method):
            raise OSError(f"answered {data[:80]!r} instead of {method}")
        return data[4:]

    def _next(self) -> tuple[int, bytes]:
        while True:
            kind, _, size = struct.unpack(">BHI", self._bytes(7))
            data = self._bytes(size + 1)[:-1]
            if kind != _HEARTBEAT:
                return kind, data

    def _bytes(self, count: int) -> bytes:
        came = b""
        while len(came) < count:
            self._socket.settimeout(self._left())
            data = self._socket.recv(count - len(came))
            if not data:
                raise OSError("the server closed")
            came += data
        return came

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


_table = _long
