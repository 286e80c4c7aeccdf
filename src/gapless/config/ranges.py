"""Host ranges: ``web[1:4].example``, ``web[01:12]``, ``db[a,b]``, ``r[1:2]-n[1:3]``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

MAX_HOSTS = 100_000
"""A range beyond this is a typing error."""

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = re.compile(r"([0-9]+):([0-9]+)")
_LETTERS = re.compile(r"([a-z]):([a-z])|([A-Z]):([A-Z])")


def is_range(pattern: str) -> bool:
    """Whether it names more than itself."""
    return "[" in pattern or "]" in pattern


def expand(pattern: str) -> tuple[str, ...]:
    """Every name a pattern stands for, the last bracket counting fastest; ValueError says why not.

    Zeros in front are kept: ``[01:12]`` gives 01, 02 … 12.
    """
    if not is_range(pattern):
        return (pattern,)
    pieces = _BRACKET.split(pattern)
    if any("[" in text or "]" in text for text in pieces[::2]):
        raise ValueError(f"'{pattern}' has a bracket without its partner")
    choices = [tuple(_choices(inside, pattern)) for inside in pieces[1::2]]
    _refuse_too_many(pattern, choices)
    return tuple(_joined(pieces[::2], chosen) for chosen in itertools.product(*choices))


def _joined(texts: list[str], chosen: tuple[str, ...]) -> str:
    return texts[0] + "".join(c + t for c, t in zip(chosen, texts[1:], strict=True))


def _refuse_too_many(pattern: str, choices: list[tuple[str, ...]]) -> None:
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_HOSTS:
        raise ValueError(f"'{pattern}' stands for {count:,} hosts; the limit is {MAX_HOSTS:,}")


def _choices(inside: str, pattern: str) -> Iterator[str]:
    for part in inside.split(","):
        text = part.strip()
        if numbers := _NUMBERS.fullmatch(text):
            yield from _numbers(numbers[1], numbers[2], pattern)
        elif letters := _LETTERS.fullmatch(text):
            yield from _letters(letters[1] or letters[3], letters[2] or letters[4], pattern)
        elif not text or ":" in text:
            raise ValueError(
                f"'[{inside}]' in '{pattern}' is no range; write [1:4], [01:12] or [a,b]"
            )
        else:
            yield text


def _numbers(first: str, last: str, pattern: str) -> Iterator[str]:
    low, high = int(first), int(last)
    if low > high:
        raise ValueError(f"[{first}:{last}] in '{pattern}' counts down; write [{last}:{first}]")
    if high - low >= MAX_HOSTS:
        raise ValueError(f"'{pattern}' stands for more than {MAX_HOSTS:,} hosts")
    padded = first.startswith("0") and len(first) > 1
    if padded and len(first) != len(last):
        raise ValueError(f"[{first}:{last}] in '{pattern}': write both ends with as many digits")
    width = len(first) if padded else 0
    return (f"{number:0{width}d}" for number in range(low, high + 1))


def _letters(first: str, last: str, pattern: str) -> Iterator[str]:
    if first > last:
        raise ValueError(f"[{first}:{last}] in '{pattern}' counts down; write [{last}:{first}]")
    return (chr(code) for code in range(ord(first), ord(last) + 1))
