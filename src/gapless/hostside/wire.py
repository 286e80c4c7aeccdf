"""Messages on a byte stream: four bytes of length, then JSON."""

from __future__ import annotations

import binascii
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

READY = b"\0gapless-ready\n"
"""Precedes the helper's first message; whatever a login shell printed before it is skipped."""
LARGEST = 256 << 20


def encode(message: dict[str, Any]) -> bytes:
    """One message with its length."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


def length_of(header: bytes) -> int:
    """Length of the message behind a header; refuses what cannot be one of ours."""
    length = int.from_bytes(header, "big")
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes is none of ours")
    return length


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
    return binascii.b2a_base64(data, newline=False).decode()


def unpack_bytes(text: str) -> bytes:
    """What ``pack_bytes`` packed."""
    return binascii.a2b_base64(text)
