"""Durations, shares and names as people write them in gapless.yaml."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def parse_duration(value: Any) -> float:
    """Seconds from ``500ms``, ``30s``, ``1m30s``; a bare number has no unit and is refused."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if isinstance(value, (bool, dict, list, tuple)) or value is None:
        raise ValueError("write a duration: 500ms, 30s, 5m or 1h30m")
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
    if 0 < seconds < 1:
        return f"{_plain(seconds * 1000)}ms"
    if seconds != int(seconds):
        return f"{_plain(seconds)}s"
    rest, out = int(seconds), ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_UNITS[unit]))
        if count:
            out += f"{count}{unit}"
    return out or "0s"


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^((\d+(\.\d+)?(ms|s|m|h|d) ?)+|0)$"},
                {"const": 0},
            ],
            "examples": ["30s", "1m30s"],
        }
    ),
]
"""Seconds inside the program; a number with its unit in files."""


def parse_limit(value: Any) -> float:
    """A duration in which something has to happen: none at all would be a mistake."""
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("0 leaves no time at all; write 500ms, 30s, 5m or 1h30m")
    return seconds


Limit = Annotated[
    float,
    BeforeValidator(parse_limit),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d) ?)+$",
            "examples": ["30s", "1m30s"],
        }
    ),
]
"""A duration that is not 0."""


def parse_amount(value: Any) -> int | str:
    """A count (3) or a share (25%)."""
    if isinstance(value, bool):
        raise ValueError("write a number of instances (2) or a share of them (25%)")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("a number of instances cannot be negative")
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdigit():
        return int(text)
    match = re.fullmatch(r"([0-9]{1,3})\s*%", text)
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


def parse_share(value: Any) -> float:
    """A part of the whole between 0 and 1 from ``5%`` or ``0.5%``; none and more than all are
    refused."""
    match = (
        re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)\s*%", value.strip())
        if isinstance(value, str)
        else None
    )
    if not match or not 0 < float(match.group(1)) <= 100:
        raise ValueError(f"{value!r} is no share; write a percentage such as 5% or 0.5%")
    return float(match.group(1)) / 100


def format_share(share: float) -> str:
    """The shortest way to write a share: 0.05 → 5%."""
    return f"{_plain(share * 100)}%"


Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(format_share, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,3}(\.\d+)?\s*%$",
            "examples": ["5%", "0.5%"],
        }
    ),
]
"""A part of the whole, written as a percentage."""


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


Secret = Annotated[
    str,
    BeforeValidator(parse_secret),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(env|file|command):.*\S",
            "examples": ["env:API_TOKEN", "file:/etc/shop/token", "command:pass show shop/token"],
        }
    ),
]
"""Where a secret is to be read from, at the moment it is needed."""


def is_secret(value: str) -> bool:
    """Whether a value is a reference to a secret."""
    return value.partition(":")[0] in ("env", "file", "command")


def parse_url(value: Any) -> Any:
    """An address that is asked, or a reference to one."""
    if isinstance(value, str) and is_secret(value):
        return parse_secret(value)
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is no address; write http(s)://… or a secret reference")
    return value


SecretUrl = Annotated[
    str,
    BeforeValidator(parse_url),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(https?://|(env|file|command):).*\S",
            "examples": ["https://hooks.shop.example/gapless", "env:SHOP_WEBHOOK"],
        }
    ),
]
"""A URL, or where one is to be read from: the path of a webhook is often its password."""


class OneOrMany:
    """Marks a tuple that may be written as its only item."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap a lone item before the tuple is validated."""
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An item, or a list of items."""
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int, dict)) else value


Names = Annotated[tuple[str, ...], OneOrMany()]
"""One name, or a list of names."""

Flag = Annotated[bool, Strict()]
"""true or false; yes, on and 1 are text and numbers here."""

Count = Annotated[int, Strict(), Field(ge=0)]
"""A whole number, zero included."""

Positive = Annotated[int, Strict(), Field(ge=1)]
Replicas = Annotated[int, Strict(), Field(ge=1, le=100)]
"""A whole number from one."""

Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
"""A TCP port."""
