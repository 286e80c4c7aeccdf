"""What a host is asked about its logs, and what it answers, as they travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Marks = Mapping[str, Sequence[Any]]
"""Path to the place up to which a file was read; only the host knows what is in it."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Lines of a unit's journal (of the folder ``journal``, "" for the system's) or of files that
    ``since`` and ``until`` bound, by the host's clock, in seconds since the epoch.

    ``level``: warning, error, fatal or none. ``known``: fingerprints that are not new. ``marks``
    and ``marked``: where an earlier reading of the files ended, and when. ``timeout`` in seconds.
    """

    since: float
    until: float
    unit: str = ""
    journal: str = ""
    files: tuple[str, ...] = ()
    level: str = "error"
    patterns: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    marks: Marks = field(default_factory=dict)
    marked: float | None = None
    timeout: float = 20.0

    def to_json(self) -> dict[str, Any]:
        """As it travels."""
        return {
            "since": self.since,
            "until": self.until,
            "unit": self.unit,
            "journal": self.journal,
            "files": list(self.files),
            "level": self.level,
            "patterns": dict(self.patterns),
            "ignore": list(self.ignore),
            "known": sorted(self.known),
            "marks": {path: list(mark) for path, mark in self.marks.items()},
            "marked": self.marked,
            "timeout": self.timeout,
        }


@dataclass(frozen=True, slots=True)
class LogTally:
    """Incidents of one rule. ``times``: when each was, unless there were too many. ``top`` and
    ``new``: message and number of its lines, the most frequent first. ``seen``: every fingerprint,
    unless there were too many (``overflowed``)."""

    errors: int = 0
    times: tuple[float, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    new: tuple[tuple[str, int], ...] = ()
    seen: frozenset[str] = frozenset()
    overflowed: bool = False


@dataclass(frozen=True, slots=True)
class LogReading:
    """``covered`` seconds, up to ``until``, of what was asked for; None where there is no log.
    ``tallies``: by name of the pattern, "" for the level. ``older``: fingerprints of what came
    before ``since``. ``read``: when, by the host's clock."""

    covered: float | None
    read: float
    since: float = 0.0
    until: float = 0.0
    lines: int = 0
    tallies: Mapping[str, LogTally] = field(default_factory=dict)
    older: frozenset[str] = frozenset()
    marks: Marks = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], query: LogQuery) -> LogReading:
        """As it travelled, in answer to a question."""
        return cls(
            covered=data["covered"],
            read=data["read"],
            since=query.since,
            until=query.until,
            lines=data["lines"],
            tallies={name: _tally(one) for name, one in data["tallies"].items()},
            older=frozenset(data["older"]),
            marks=data["marks"],
        )

    def part(self, name: str, since: float, until: float) -> tuple[int, float] | None:
        """Incidents of a tally in a part of what was asked for, and the seconds of it that are
        covered; None where this reading does not tell."""
        tally = self.tallies[name]
        told = self.since <= since and until <= self.until and len(tally.times) == tally.errors
        if self.covered is None or not told:
            return None
        covered = until - max(since, self.until - self.covered)
        return sum(since <= at < until for at in tally.times), max(covered, 0.0)


def _tally(data: Mapping[str, Any]) -> LogTally:
    return LogTally(
        errors=data["errors"],
        times=tuple(data["times"]),
        top=tuple((text, count) for text, count in data["top"]),
        new=tuple((text, count) for _, text, count in data["new"]),
        seen=frozenset(data["seen"]),
        overflowed=data["overflowed"],
    )
