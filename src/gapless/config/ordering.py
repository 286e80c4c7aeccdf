"""Values of ``rollout:`` that say who goes first and what comes before the next."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gapless.config.quantities import format_duration, parse_amount, parse_duration

APPROVE = "approve"
"""Instead of a duration: a person lets the next group begin."""


def parse_canary(value: Any) -> int | str | tuple[str, ...]:
    """A count, a share, or the names of hosts and groups that go first."""
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        return parse_amount(value)
    if any(not isinstance(name, str) or not name.strip() for name in names):
        raise ValueError("write a number (1), a share (5%), or names of hosts and groups")
    if isinstance(value, str) and _is_amount(value):
        return parse_amount(value)
    return tuple(name.strip() for name in names)


def _is_amount(text: str) -> bool:
    return text.strip().isdigit() or "%" in text


Canary = Annotated[
    int | str | tuple[str, ...],
    BeforeValidator(parse_canary),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
            ],
            "examples": [1, "5%", ["web1", "canaries"]],
        }
    ),
]
"""How many go first, or which."""


def parse_then(value: Any) -> float | str:
    """What comes between two groups: seconds, or ``approve``."""
    if isinstance(value, str) and value.strip() == APPROVE:
        return APPROVE
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError(f"{value!r} is neither approve nor a duration such as 10m") from None


def _format_then(value: float | str) -> str:
    return value if isinstance(value, str) else format_duration(value)


Then = Annotated[
    float | str,
    BeforeValidator(parse_then),
    PlainSerializer(_format_then, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": APPROVE},
                {"type": "string", "pattern": r"^((\d+(\.\d+)?(ms|s|m|h|d) ?)+|0)$"},
                {"const": 0},
            ],
            "examples": [APPROVE, "10m"],
        }
    ),
]
"""A pause, or a person's approval."""
