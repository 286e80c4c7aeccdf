"""Frames of AMQP 0-9-1, as far as a client needs them that publishes and gets. No side effects.

Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from gapless.prove.workload import NotDone

HELLO = b"AMQP\0\0\x09\x01"
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = b"\xce"
_BASIC = 60
_DURABLE = struct.pack(">HB", 1 << 12, 2)
"""Of all properties only the mode of delivery, which is to be kept."""

Method = tuple[int, int]
START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPENED, CLOSED, CLOSED_OK = (10, 40), (10, 41), (10, 50), (10, 51)
CHANNEL, CHANNEL_OPENED, CHANNEL_CLOSED = (20, 10), (20, 11), (20, 40)
DECLARE, DECLARED, DELETE, DELETED = (50, 10), (50, 11), (50, 40), (50, 41)
CONFIRM, CONFIRMED = (85, 10), (85, 11)
PUBLISH, RETURNED, ACK, NACK = (60, 40), (60, 50), (60, 80), (60, 120)
GET, GOT, EMPTY = (60, 70), (60, 71), (60, 72)


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a connection or a channel was closed by the server."""

    code: int
    words: str

    @classmethod
    def of(cls, data: bytes) -> Closing:
        """As the arguments of the method tell it."""
        (code,) = struct.unpack(">H", data[:2])
        return cls(code, data[3 : 3 + data[2]].decode("utf-8", "replace"))


def frame(kind: int, channel: int, data: bytes) -> bytes:
    """As it goes over the wire."""
    return struct.pack(">BHI", kind, channel, len(data)) + data + END


def method(channel: int, name: Method, data: bytes = b"") -> bytes:
    """A method with its arguments."""
    return frame(METHOD, channel, struct.pack(">HH", *name) + data)


def content(channel: int, body: bytes) -> bytes:
    """What follows a method that carries a message; it fits into one frame."""
    header = struct.pack(">HHQ", _BASIC, 0, len(body)) + _DURABLE
    return frame(HEADER, channel, header) + frame(BODY, channel, body)


def parted(data: bytes) -> tuple[Method, bytes]:
    """Which method it is, and its arguments. Raises NotDone."""
    if len(data) < 4:
        raise NotDone("it is not AMQP that answers")
    first, second = struct.unpack(">HH", data[:4])
    return (first, second), data[4:]


def size_of_body(header: bytes) -> int:
    """Bytes that follow in frames of their own."""
    (size,) = struct.unpack(">Q", header[4:12])
    return int(size)


def short(text: str) -> bytes:
    """With its length in one byte."""
    data = text.encode()
    return bytes([len(data)]) + data


def long(data: bytes) -> bytes:
    """With its length in four."""
    return struct.pack(">I", len(data)) + data


def table(fields: Mapping[str, str | int | bool | Mapping[str, bool]]) -> bytes:
    """Names and values."""
    return long(b"".join(short(name) + _field(value) for name, value in fields.items()))


def _field(value: str | int | bool | Mapping[str, bool]) -> bytes:
    if isinstance(value, bool):
        return b"t" + bytes([value])
    if isinstance(value, int):
        return b"l" + struct.pack(">q", value)
    if isinstance(value, str):
        return b"S" + long(value.encode())
    return b"F" + table(value)
