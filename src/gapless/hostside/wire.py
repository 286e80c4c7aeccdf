"""Messages on a byte stream: four bytes of length, then JSON."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, BinaryIO

READY = b"\0gapless-ready\n"
"""Precedes the helper's first message; whatever a login shell printed before it is skipped."""
LARGEST = 256 << 20


def encode(message: dict[str, Any]) -> bytes:
    """One message with its length."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return struct.pack(">I", len(body)) + body


def length_of(header: bytes) -> int:
    """Length of the message behind a header; refuses what cannot be one of ours."""
    (length,) = struct.unpack(">I", header)
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes is none of ours")
    return int(length)


def decode(body: bytes) -> dict[str, Any]:
    """The message in a body."""
    message: dict[str, Any] = json.loads(body)
    return message


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, None at the end of the stream (also in the middle of one)."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    length = length_of(header)
    body = stream.read(length)
    return decode(body) if len(body) == length else None


def pack_bytes(data: bytes) -> str:
    """Bytes as JSON can carry them."""
    return base64.b64encode(data).decode()


def unpack_bytes(text: str) -> bytes:
    """What ``pack_bytes`` packed."""
    return base64.b64decode(text)
