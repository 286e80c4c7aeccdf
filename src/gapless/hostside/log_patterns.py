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
        self._ignore = [_compiled(pattern) for pattern in ignore]
        if self._named or self._ignore:
            signal.signal(signal.SIGVTALRM, _ring)

    @property
    def names(self) -> Iterator[str]:
        """Of what is counted apart."""
        return iter(self._named)

    def named(self, line: str) -> list[str]:
        """The names of those found in a line. Raises Fault when one takes too long."""
        return [name for name, one in self._named.items() if _found(one, line)]

    def ignored(self, line: str) -> bool:
        """Whether it does not count."""
        return any(_found(one, line) for one in self._ignore)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        what = f"the Python of this host cannot read the pattern {pattern!r}"
        raise Fault(what, evidence=str(error)) from error


def _found(pattern: re.Pattern[str], line: str) -> bool:
    signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT)
    try:
        return pattern.search(line[:_LONGEST]) is not None
    except _Late:
        what = f"the pattern {pattern.pattern!r} takes more than {_LIMIT:g} s on one line"
        raise Fault(what, hint="write it without a repetition in what is repeated") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
