"""A value in JSON and its place in it: whatever is not as it has to be is refused by that place.

groups[2].in_sync[0]: 1 is no text; write "1"
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN = 60


class NonsenseError(ValueError):
    """It says where and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """``path`` is "" for the whole answer."""

    value: Any
    path: str = ""

    def refused(self, why: str) -> NonsenseError:
        """The error of this place."""
        return NonsenseError(f"{self.path or 'the answer'}: {why}")

    def fields(self, needed: Collection[str], optional: Collection[str] = ()) -> None:
        """An object with these keys and no others."""
        if not isinstance(self.value, dict):
            raise self.refused(f"{self._shown} is no object")
        for key in needed:
            if key not in self.value:
                raise self.refused(f"{key} is missing")
        for key in self.value:
            if key not in needed and key not in optional:
                known = ", ".join((*needed, *optional))
                raise self.refused(f"{key} is not known; there are {known}")

    def has(self, key: str) -> bool:
        """Whether an object has it."""
        return key in self.value

    def at(self, key: str) -> Place:
        """Of an object that has it."""
        return Place(self.value[key], f"{self.path}.{key}" if self.path else key)

    def each(self) -> Iterator[Place]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            raise self.refused(f"{self._shown} is no list")
        for number, one in enumerate(self.value):
            yield Place(one, f"{self.path}[{number}]")

    def pairs(self) -> Iterator[tuple[str, Place]]:
        """The keys of an object, whatever they are called."""
        if not isinstance(self.value, dict):
            raise self.refused(f"{self._shown} is no object")
        for key in self.value:
            yield key, Place(self.value[key], f'{self.path}["{key}"]')

    def text(self) -> str:
        """A line of text, maybe an empty one."""
        if not isinstance(self.value, str):
            written = "" if isinstance(self.value, list | dict) else f'; write "{self._shown}"'
            raise self.refused(f"{self._shown} is no text{written}")
        return self.value

    def name(self) -> str:
        """What can be a word of a command: neither empty nor an option."""
        text = self.text()
        if not text or text.startswith("-") or not text.isprintable():
            raise self.refused(f"{self._shown} is no name: at least one letter, no - before it")
        return text

    def number(self) -> int:
        """A whole number, not below 0."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            raise self.refused(f"{self._shown} is no whole number")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.refused(f"{self._shown} is neither true nor false")
        return self.value

    def one_of(self, known: Collection[str]) -> str:
        """One of these words."""
        if not isinstance(self.value, str) or self.value not in known:
            raise self.refused(f"{self._shown} is none of {', '.join(known)}")
        return self.value

    @property
    def _shown(self) -> str:
        return json.dumps(self.value, ensure_ascii=False)[:_SHOWN]


def parsed(text: str) -> Place:
    """The whole answer. Raises NonsenseError, which says where it is no JSON."""
    try:
        return Place(json.loads(text, parse_constant=_constant, object_pairs_hook=_object))
    except json.JSONDecodeError as error:
        raise NonsenseError(
            f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}"
        ) from None
    except NonsenseError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise NonsenseError(f"the answer: {error}") from None
    except RecursionError:
        raise NonsenseError("the answer: objects in objects without end") from None


def _constant(word: str) -> Any:
    raise NonsenseError(f"the answer: {word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NonsenseError(f"the answer: an object has {twice} twice")
    return found
