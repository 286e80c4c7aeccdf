"""Collecting what is wrong, with places, so that everything is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from gapless.errors import ConfigError, Problem

_FEW = 8
"""As many names as a hint may list."""


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class Findings:
    """Problems of one file; the same one at the same place is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[Place, str], Problem] = {}

    def add(self, place: Place, text: str, hint: str = "") -> None:
        """Note a problem."""
        problem = Problem(self.file, place.line, place.column, text, hint)
        self._found.setdefault((place, text), problem)

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them in the order of the file."""
        return tuple(sorted(self._found.values(), key=lambda p: (p.line, p.column, p.text)))

    def raise_if_any(self) -> None:
        """Raise ConfigError with all of them."""
        if self._found:
            raise ConfigError(self.problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?``, else the names there are when they are few."""
    names = list(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    if 0 < len(names) <= _FEW:
        return f"known: {', '.join(names)}"
    return ""
