"""What a template may ask for, and how it is told that it came to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gapless.errors import Problem


class NotRendered(Exception):
    """Why a template came to nothing, at its place. ``key``: what is wrong is not in the template
    but what gapless.yaml says of it, under this key."""

    def __init__(self, problem: Problem, key: str = "") -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.key = key


class SecretNames:
    """``secrets`` in a template: finds values by name, and notes that one was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.used = False

    def __getitem__(self, name: str) -> str:
        value = self._values[name]
        self.used = True
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)
