"""Regular expressions of a configuration, each with a short time for each line.

Some expressions take for ever on some lines. A signal ends them, which the matching engine looks
for; that works in the main thread of a process only, so logs are read in a process of their own.
"""

from __future__ import annotations

import re
import signal

from gapless.hostside.faults import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LIMIT = 0.5
"""Seconds of processor time that all expressions may take on one line."""
_LONGEST = 8192
"""Characters of a line that are looked at."""


class _Late(Exception):
    """The time of a line is over."""


def _ring(_number: int, _frame: object) -> None:
    raise _Late


class Patterns:
    """Named expressions, and those of lines that do not count."""

    def __init__(self, named: Mapping[str, str], ignore: Sequence[str]) -> None:
        self._named = {name: _compiled(pattern) for name, pattern in named.items()}
        self._ignore = {pattern: _compiled(pattern) for pattern in ignore}
        if self._named or self._ignore:
            signal.signal(signal.SIGVTALRM, _ring)

    @property
    def names(self) -> Iterator[str]:
        """Of what is counted apart."""
        return iter(self._named)

    def named(self, line: str) -> list[str]:
        """The names of those found in a line. Raises Fault when they take too long."""
        return _found(self._named, line) if self._named else []

    def ignored(self, line: str) -> bool:
        """Whether it does not count."""
        return bool(self._ignore and _found(self._ignore, line))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        what = f"the Python of this host cannot read the pattern {pattern!r}"
        raise Fault(what, evidence=str(error)) from error


def _found(patterns: dict[str, re.Pattern[str]], line: str) -> list[str]:
    text, found, pattern = line[:_LONGEST], [], ""
    signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT)
    try:
        for name, one in patterns.items():
            pattern = one.pattern
            if one.search(text):
                found.append(name)
    except _Late:
        what = f"the pattern {pattern!r} takes more than {_LIMIT:g} s on one line"
        raise Fault(what, hint="write it without a repetition in what is repeated") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return found
