"""Lines of a log become incidents.

1. A line bad enough begins an incident. Lines that go on with it (indented, a stack, its cause)
   belong to it; the name of the exception in them is a part of its message.
2. Incidents of one fingerprint within two seconds of the first of them are one.
3. Named patterns are counted apart, in the same way, whatever the level.
4. Memory is bounded: so many kinds of messages are told apart, further ones are only counted.
"""

from __future__ import annotations

import re

from gapless.hostside import log_levels
from gapless.hostside.log_fingerprint import fingerprint, sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gapless.hostside.log_patterns import Patterns

TOGETHER = 2.0
"""Seconds in which the same message is one incident."""
MOST_KINDS = 1000
MOST_TIMES = 5000
_MOST_STREAMS = 64
_TOLD = 20
_GOES_ON = re.compile(
    r"\s|$|at\s+\S+[\s(:]|Caused by:|\.\.\. \d+|Traceback \(most recent|During handling of|"
    r"The above exception|Suppressed:|[}\])]+[;,]?\s*$"
)


class Tally:
    """The incidents of one rule: a level, or a named pattern."""

    def __init__(self) -> None:
        self.errors = 0
        self._times: list[float] = []
        self._kinds: dict[str, list[Any]] = {}  # fingerprint -> [lines, sample, since when]
        self.overflowed = False

    def add(self, at: float, message: str) -> None:
        """One more bad line, or block of lines."""
        key = fingerprint(message)
        kind = self._kinds.get(key)
        if kind is None:
            self._incident(at)
            if len(self._kinds) < MOST_KINDS:
                self._kinds[key] = [1, sample(message), at]
            else:
                self.overflowed = True
            return
        kind[0] += 1
        if not 0 <= at - kind[2] < TOGETHER:
            self._incident(at)
            kind[2] = at

    def _incident(self, at: float) -> None:
        self.errors += 1
        if len(self._times) < MOST_TIMES:
            self._times.append(round(at, 6))

    def fingerprints(self) -> list[str]:
        """Of all kinds that are told apart."""
        return list(self._kinds)

    def to_json(self, known: frozenset[str]) -> dict[str, Any]:
        """As it travels: the most frequent kinds, and those that are not ``known``."""
        ranked = sorted(self._kinds.items(), key=lambda item: (-item[1][0], item[0]))
        new = [item for item in ranked if item[0] not in known]
        return {
            "errors": self.errors,
            "times": self._times,
            "top": [[text, count] for _, (count, text, _) in ranked[:_TOLD]],
            "new": [[key, text, count] for key, (count, text, _) in new[:_TOLD]],
            "seen": sorted(self._kinds),
            "overflowed": self.overflowed,
        }


class _Block:
    """An incident whose lines may go on."""

    def __init__(self, at: float, message: str, names: list[str], counted: bool) -> None:
        self.at = at
        self.last = at
        self.message = message
        self.names = set(names)
        self.counted = counted
        self.traceback = bool(log_levels.TRACEBACK.match(message))
        self.cause = ""

    def takes(self, at: float, line: str) -> bool:
        """Whether a line goes on with this incident; then it is taken in."""
        if abs(at - self.last) > TOGETHER:
            return False
        text = line.strip()
        if log_levels.TRACEBACK.match(line):
            self.traceback, self.cause = True, ""
        elif not _GOES_ON.match(line):
            named = log_levels.EXCEPTION.match(text)
            if self.cause or not (self.traceback or named):
                return False
            self.cause = text
            self.traceback = False
        self.last = at
        return True

    def whole(self) -> str:
        """Its message, with the exception that was found further down."""
        if self.cause and log_levels.TRACEBACK.match(self.message):
            return self.cause
        return f"{self.message} {self.cause}".strip()


class Incidents:
    """Everything that is counted of one log."""

    def __init__(self, least: int, patterns: Patterns) -> None:
        self._least = least
        self._patterns = patterns
        self._open: dict[str, _Block] = {}
        self.level = Tally()
        self.named = {name: Tally() for name in patterns.names}
        self.lines = 0

    def feed(
        self, at: float, text: str, level: int = log_levels.NOT_TOLD, stream: str = ""
    ) -> None:
        """One entry of the log; ``level`` as the log itself knows it, ``stream`` who wrote it."""
        self.lines += 1
        for line in text.split("\n") if "\n" in text else (text,):
            self._line(at, line, level, stream)

    def close(self) -> None:
        """Count what is still open."""
        for block in self._open.values():
            self._count(block)
        self._open.clear()

    def _line(self, at: float, line: str, level: int, stream: str) -> None:
        block = self._open.get(stream)
        if block is not None:
            if block.takes(at, line):
                block.names.update(self._patterns.named(line))
                return
            self._count(self._open.pop(stream))
        if not line.strip() or self._patterns.ignored(line):
            return
        names = self._patterns.named(line)
        counted = (log_levels.level(line) or level) >= self._least
        if counted or names:
            if len(self._open) >= _MOST_STREAMS:
                self.close()
            self._open[stream] = _Block(at, log_levels.message(line), names, counted)

    def _count(self, block: _Block) -> None:
        message = block.whole()
        if block.counted:
            self.level.add(block.at, message)
        for name in block.names:
            self.named[name].add(block.at, message)
