"""Files of KEY=VALUE lines, read as systemd reads its EnvironmentFile=. No value is ever told."""

from __future__ import annotations

from collections.abc import Callable

from gapless.config.problems import Findings, Place
from gapless.config.process import parse_value, parse_variable

_BLANK = " \t\r"
_ESCAPED = '"\\`$'
"""What a backslash escapes between double quotes."""


def read(text: str, findings: Findings) -> dict[str, str]:
    """Names and values; what cannot be read goes to ``findings``."""
    return _Reader(text, findings).read()


class _Reader:
    def __init__(self, text: str, findings: Findings) -> None:
        self._text, self._at, self._findings = text, 0, findings
        self._values: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        while self._at < len(self._text):
            self._skip(_BLANK + "\n")
            if self._peek() in ("#", ";"):
                self._comment()
            elif self._peek():
                self._assignment()
        return self._values

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _skip(self, what: str) -> None:
        while self._peek() and self._peek() in what:
            self._at += 1

    def _comment(self) -> None:
        """To the end of the line; a backslash goes on to the next one."""
        while self._peek() and (char := self._next()) != "\n":
            if char == "\\" and self._peek():
                self._at += 1

    def _assignment(self) -> None:
        begin = self._at
        line = self._text[begin:].partition("\n")[0]
        name, equals, _ = line.partition("=")
        name = name.strip()
        if not equals or not name or len(name.split()) > 1:
            self._object(begin, *_unreadable(name if equals else ""))
            self._at += len(line)
            return
        self._at += line.index("=") + 1
        value = self._value()
        try:
            self._values[str(parse_variable(name))] = str(parse_value(value))
        except ValueError as error:
            self._object(begin, f"{name}: {error}")

    def _value(self) -> str:
        parts: list[str] = []
        readers: dict[str, Callable[[], str]] = {"'": self._single, '"': self._double}
        self._skip(_BLANK)
        while self._peek() not in ("", "\n"):
            quoted = readers.get(self._peek())
            parts.append(quoted() if quoted else self._bare())
            self._skip(_BLANK)
        return "".join(parts)

    def _bare(self) -> str:
        """To the end of the line; blanks at its end are no part of it, unless escaped."""
        found, kept = "", 0
        while self._peek() not in ("", "\n"):
            char = self._next()
            if char == "\\":
                char = self._next() if self._peek() else ""
                found += "" if char == "\n" else char
                kept = len(found)
            else:
                found += char
                kept = kept if char in _BLANK else len(found)
        return found[:kept]

    def _single(self) -> str:
        begin = self._at
        self._at += 1
        end = self._text.find("'", self._at)
        if end < 0:
            return self._unclosed(begin)
        found, self._at = self._text[self._at : end], end + 1
        return found

    def _double(self) -> str:
        begin, found = self._at, ""
        self._at += 1
        while self._peek():
            char = self._next()
            if char == '"':
                return found
            if char == "\\" and self._peek():
                escaped = self._next()
                char = "" if escaped == "\n" else escaped
                char = char if escaped in _ESCAPED + "\n" else f"\\{escaped}"
            found += char
        return self._unclosed(begin)

    def _unclosed(self, begin: int) -> str:
        self._object(begin, "a quote is opened here and never closed")
        self._at = len(self._text)
        return ""

    def _object(self, at: int, text: str, hint: str = "") -> None:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        self._findings.add(Place(line, column), text, hint)


def _unreadable(name: str) -> tuple[str, str]:
    if name.startswith("export "):
        return "export is a word of shells", "write KEY=VALUE"
    return "not a line of the form KEY=VALUE", "comments begin with #"
