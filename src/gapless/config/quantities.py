"""Durations, shares and names as people write them in gapless.yaml."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: Any) -> float:
    """Seconds from ``500ms``, ``30s``, ``1m30s``; a bare number has no unit and is refused."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str):
        raise ValueError(f"a duration needs a unit, for example {value}s")
    text = value.replace(" ", "")
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        if text == "0":
            return 0.0
        raise ValueError(f"{value!r} is not a duration; write 500ms, 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The shortest exact way to write ``seconds``: 0.5 → 500ms, 90 → 1m30s."""
    if seconds == 0:
        return "0s"
    if seconds < 1 or seconds != int(seconds):
        milliseconds = round(seconds * 1000)
        if seconds < 1:
            return f"{milliseconds}ms"
        if milliseconds % 1000:
            return f"{milliseconds / 1000:g}s"
    rest = round(seconds)
    out = ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_UNITS[unit]))
        if count:
            out += f"{count}{unit}"
    return out


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "examples": ["30s", "1m30s"]}
    ),
]
"""Seconds inside the program; a number with its unit in files."""


def parse_amount(value: Any) -> int | str:
    """A count (3) or a share (25%)."""
    if isinstance(value, bool):
        raise ValueError("write a number of instances (2) or a share of them (25%)")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("a number of instances cannot be negative")
        return value
    text = str(value).strip()
    if text.isdigit():
        return int(text)
    match = re.fullmatch(r"(\d{1,3})\s*%", text)
    if not match or not 0 <= int(match.group(1)) <= 100:
        raise ValueError(f"{value!r} is neither a number of instances (2) nor a share (25%)")
    return f"{int(match.group(1))}%"


def resolve_amount(amount: int | str, total: int, *, at_least: int = 0) -> int:
    """How many of ``total`` an amount means; shares round down but never below ``at_least``."""
    count = amount if isinstance(amount, int) else total * int(amount.rstrip("%")) // 100
    return max(at_least, min(count, total))


Amount = Annotated[
    int | str,
    BeforeValidator(parse_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d{1,3}\s*%$"},
            ],
            "examples": [1, "25%"],
        }
    ),
]
"""A number of instances or a share of them."""


def parse_argv(value: Any) -> tuple[str, ...]:
    """A program and its arguments; a string is split as a shell splits, never run by one."""
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"cannot split {value!r} into words: {error}") from None
    elif isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
        words = list(value)
    else:
        raise ValueError("write a command line, or a list of its words")
    if not words or not words[0]:
        raise ValueError("the command is empty")
    return tuple(words)


Argv = Annotated[
    tuple[str, ...],
    BeforeValidator(parse_argv),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ],
            "examples": ["pg_isready -h localhost"],
        }
    ),
]
"""A program with its arguments. Pipes and variables need an explicit ``sh -c``."""


def parse_secret(value: Any) -> str:
    """A reference to a secret: ``env:NAME``, ``file:PATH`` or ``command:ARGV``; never a value."""
    if not isinstance(value, str) or value.split(":", 1)[0] not in ("env", "file", "command"):
        raise ValueError(
            "a secret is a reference: env:NAME, file:/path or command:program args; never a value"
        )
    if not value.split(":", 1)[1].strip():
        raise ValueError(f"{value!r} names nothing after the colon")
    return value


Secret = Annotated[str, BeforeValidator(parse_secret)]
"""Where a secret is to be read from, at the moment it is needed."""
