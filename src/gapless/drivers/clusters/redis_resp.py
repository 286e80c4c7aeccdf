"""RESP2, what Redis and its sentinels speak: commands written, replies read. No side effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Command: TypeAlias = tuple[str, ...]
"""A command with its arguments."""
_END = b"\r\n"


class NonsenseError(ValueError):
    """What came is not RESP; its text is the evidence."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the server words it: ``NOQUORUM 1 usable Sentinels``."""

    text: str

    def __str__(self) -> str:
        return f"-{self.text}"


Reply: TypeAlias = "str | int | Refusal | tuple[Reply, ...] | None"
"""A status or text, a number, nothing, an error, or several of these."""


def written(commands: tuple[Command, ...]) -> bytes:
    """The commands, one after the other, each as an array of bulk strings."""
    return b"".join(_command(command) for command in commands)


def read(data: bytes) -> tuple[Reply, ...]:
    """All whole replies in what came; one that was cut off at the end is left out. Raises
    NonsenseError."""
    replies: list[Reply] = []
    place = 0
    while place < len(data):
        try:
            reply, place = _reply(data, place)
        except _CutOffError:
            break
        replies.append(reply)
    return tuple(replies)


class _CutOffError(Exception):
    """The end came too early."""


def _command(words: Command) -> bytes:
    parts = [word.encode() for word in words]
    bulks = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%b" % (len(parts), bulks)


def _reply(data: bytes, place: int) -> tuple[Reply, int]:
    line, after = _line(data, place)
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return _text(rest), after
    if kind == b"-":
        return Refusal(_text(rest)), after
    if kind == b":":
        return _number(rest, data), after
    if kind == b"$":
        return _bulk(data, after, _number(rest, data))
    if kind == b"*":
        return _array(data, after, _number(rest, data))
    raise NonsenseError(_text(data[:200]))


def _line(data: bytes, place: int) -> tuple[bytes, int]:
    end = data.find(_END, place)
    if end < 0:
        if data[place : place + 1] not in (b"", b"+", b"-", b":", b"$", b"*"):
            raise NonsenseError(_text(data[:200]))
        raise _CutOffError
    return data[place:end], end + len(_END)


def _bulk(data: bytes, place: int, length: int) -> tuple[Reply, int]:
    if length < 0:
        return None, place
    end = place + length
    if len(data) < end + len(_END):
        raise _CutOffError
    return _text(data[place:end]), end + len(_END)


def _array(data: bytes, place: int, count: int) -> tuple[Reply, int]:
    if count < 0:
        return None, place
    items: list[Reply] = []
    for _ in range(count):
        item, place = _reply(data, place)
        items.append(item)
    return tuple(items), place


def _number(text: bytes, data: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        raise NonsenseError(_text(data[:200])) from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
