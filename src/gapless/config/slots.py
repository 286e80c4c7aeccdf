"""``{slot}`` and ``{slot:ONE|OTHER}``: text that differs between the two copies of a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from gapless.supervisor.spec import SLOT, SLOTS, filled

_FIELD = re.compile(r"(?<![$%])\{([A-Za-z_]+)(?::[^{}]*)?\}")
_LIKENESS = 0.7
"""So near to ``slot`` is a mistyped one, where other braces are allowed."""


NUMBER = "{number}"


def at_number(text: str, number: int) -> str:
    """What it is for one of several instances on a host."""
    return text.replace(NUMBER, str(number))


def in_both(text: str) -> tuple[str, str]:
    """What it is in slot a and in slot b."""
    a, b = (filled(text, slot) for slot in SLOTS)
    return a, b


def differs(text: str) -> bool:
    """Whether the two copies see different things."""
    a, b = in_both(text)
    return a != b


def each(text: str, parse: Callable[[str], str]) -> str:
    """``parse`` for the text of each slot, and both in one text again."""
    strangers = list(unknown(text))
    if strangers:
        raise ValueError(f"unknown placeholder {strangers[0]} — write {SLOT} or {{slot:ONE|OTHER}}")
    a, b = in_both(text)
    return joined(parse(a), parse(b))


def joined(a: str, b: str) -> str:
    """One text that is ``a`` in slot a and ``b`` in slot b."""
    if a == b:
        return a
    start = _alike(zip(a, b, strict=False))
    end = _alike(zip(reversed(a[start:]), reversed(b[start:]), strict=False))
    one, other = a[start : len(a) - end], b[start : len(b) - end]
    if set("|{}") & {*one, *other}:
        raise ValueError("what differs between the slots cannot hold | { or }")
    middle = SLOT if (one, other) == SLOTS else f"{{slot:{one}|{other}}}"
    return a[:start] + middle + a[len(a) - end :]


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    """How many are the same, up to the last border between words."""
    border = 0
    for index, (one, other) in enumerate(pairs):
        if one != other:
            break
        border = border if one.isalnum() else index + 1
    return border


def unknown(text: str) -> Iterator[str]:
    """Everything in braces that is no slot."""
    a, _ = in_both(text)
    yield from (found[0] for found in re.finditer(r"\{[^{}]*\}", a))


def mistyped(text: str) -> Iterator[str]:
    """Placeholders that look like a slot and are none: other braces belong to the program."""
    a, _ = in_both(text)
    for found in _FIELD.finditer(a):
        if get_close_matches(found[1].lower(), ("slot",), n=1, cutoff=_LIKENESS):
            yield found[0]
