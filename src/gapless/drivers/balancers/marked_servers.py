"""The server lines between two marks in a file that nginx includes. No side effects.

    # gapless begin shop
    server 10.0.0.1:3001 max_fails=1;
    server 10.0.0.2:3001 down;
    # gapless end shop

Taking a server out adds the word ``down`` to its line, putting it in takes the word away; one that
comes or goes is a line more or less. Every other byte of the file stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_LINE = re.compile(
    r"(?P<before>\s*server\s+(?P<address>[^\s;#{}'\"]+))(?P<words>(?:\s+[^\s;#{}'\"]+)*)"
    r"(?P<after>\s*;\s*(?:#.*)?\r?)"
)
_EMPTY = re.compile(r"\s*(?:#.*)?\r?")
_DOWN = re.compile(r"\s+down(?=\s|$)")
_Change = Callable[[str], str]


class UnmarkedError(ValueError):
    """There is no such pair of marks; what the file begins with is the evidence."""


class NonsenseError(ValueError):
    """What is between the marks is no list of servers; the line is the evidence."""


@dataclass(frozen=True, slots=True)
class Line:
    """One server line; ``number`` counts the lines of the file from 0."""

    number: int
    down: bool
    text: str


@dataclass(frozen=True, slots=True)
class MarkedServers:
    """A file, and the servers between its marks by their addresses."""

    text: str
    servers: Mapping[str, Line]
    end: int
    """Number of the line of the second mark."""

    def with_added(self, address: str, *, down: bool) -> str:
        """The file with one more server, the last; as it is where it is there."""
        if address in self.servers:
            return self.text
        lines = self.text.split("\n")
        mark = lines[self.end]
        before = mark[: len(mark) - len(mark.lstrip())]
        after = "\r" if mark.endswith("\r") else ""
        lines.insert(self.end, f"{before}server {address}{' down' if down else ''};{after}")
        return "\n".join(lines)

    def without(self, address: str) -> str:
        """The file without this server; as it is where it is not there."""
        lines = self.text.split("\n")
        if address in self.servers:
            del lines[self.servers[address].number]
        return "\n".join(lines)

    def with_down(self, address: str) -> str:
        """The file with this server out."""
        if self.servers[address].down:
            return self.text
        return self._with(address, lambda words: f"{words} down")

    def with_up(self, address: str) -> str:
        """The file with this server in."""
        return self._with(address, lambda words: _DOWN.sub("", words))

    def _with(self, address: str, change: _Change) -> str:
        line = self.servers[address]
        match = _LINE.fullmatch(line.text)
        assert match
        words = change(_DOWN.sub("", match["words"]))
        lines = self.text.split("\n")
        lines[line.number] = f"{match['before']}{words}{match['after']}"
        return "\n".join(lines)


def parse(text: str, name: str) -> MarkedServers:
    """The servers marked with ``name``. Raises UnmarkedError, NonsenseError."""
    lines = text.split("\n")
    marks = [_mark(lines, f"# gapless {verb} {name}") for verb in ("begin", "end")]
    begin, end = marks
    if begin > end:
        raise UnmarkedError("its end is before its begin")
    servers: dict[str, Line] = {}
    for number in range(begin + 1, end):
        line = lines[number]
        if _EMPTY.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise NonsenseError(f"line {number + 1}: {line.strip()[:200]}")
        if match["address"] in servers:
            raise NonsenseError(f"line {number + 1}: {match['address']} is there twice")
        servers[match["address"]] = Line(number, bool(_DOWN.search(match["words"])), line)
    return MarkedServers(text, servers, end)


def _mark(lines: list[str], mark: str) -> int:
    found = [number for number, line in enumerate(lines) if line.split() == mark.split()]
    if len(found) != 1:
        raise UnmarkedError(f"{mark!r} is there {'twice' if found else 'nowhere'}")
    return found[0]
