"""The command line of ``gapless run``, read as a run file is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from gapless.config import run_file
from gapless.config.problems import Findings, Place, did_you_mean
from gapless.config.process_rules import KINDS
from gapless.config.tree import Entry, Listing, Node, Scalar, Table, parse, to_data
from gapless.errors import Problem, UsageError

_BEHIND = "-- COMMAND"


class Words(NamedTuple):
    """``listen`` is ADDRESS or NAME=ADDRESS, ``ready`` KIND or KIND=VALUE, ``settings`` KEY=VALUE
    with dots in KEY."""

    listen: Sequence[str]
    command: Sequence[str]
    name: str = ""
    ready: str = ""
    settle: str = ""
    settings: Sequence[str] = ()

    def to_json(self) -> str:
        """For who reads them again."""
        return json.dumps(self._asdict())


class Said:
    """What the options say. Each stands on a line of its own: that is the place of its problems."""

    def __init__(self, words: Words) -> None:
        self._options: list[str] = []
        self.findings = Findings("")
        self.tree = Table(Place(0, 1), {})
        self._put(_BEHIND, ("command",), list(words.command))
        if words.listen:
            self._put("--listen", ("listen",), [*map(_listen, words.listen)])
        if words.ready:
            self._ready(*words.ready.partition("=")[::2])
        if words.settle:
            self._put("--settle", ("settle",), words.settle)
        if words.name:
            self._put("--name", ("name",), words.name)
        for setting in words.settings:
            self._set(setting)

    def read(self) -> run_file.Read:
        """Checked; every problem is in ``findings``."""
        return run_file.Read(
            run_file.judged(to_data(self.tree), self.tree, self.findings), self.tree
        )

    def told(self, problem: Problem) -> str:
        """With the option that it is about."""
        hint = f" — {problem.hint}" if problem.hint else ""
        if not problem.line:
            return f"{problem.text}{hint}"
        option = self._options[problem.line - 1]
        key = re.split(r"[ .-]+", option)[-1].lower()
        return f"{option}: {problem.text.removeprefix(f'{key}: ')}{hint}"

    def _ready(self, kind: str, value: str) -> None:
        if kind in KINDS:
            self._put("--ready", ("ready",), {kind: True if kind == "notify" else value})
        else:
            place = self._place("--ready")
            self.findings.add(place, f"unknown kind '{kind}'", _meant(kind))

    def _set(self, setting: str) -> None:
        key, equals, value = setting.partition("=")
        path = tuple(key.split("."))
        if not equals or not all(path):
            raise UsageError(f"'{setting}' is not KEY=VALUE", next="gapless run --help")
        self._put(f"--set {key}", path, value if path[0] == "environment" else _value(value))

    def _put(self, option: str, path: tuple[str, ...], value: Any) -> None:
        place = self._place(option)
        *folders, last = path
        table = self.tree
        for folder in folders:
            entry = table.entries.setdefault(folder, Entry(place, Table(place, {})))
            if not isinstance(entry.node, Table):
                return self._twice(place, entry)
            table = entry.node
        if last in table.entries:
            return self._twice(place, table.entries[last])
        table.entries[last] = Entry(place, _node(value, place))
        return None

    def _twice(self, place: Place, entry: Entry) -> None:
        self.findings.add(place, "it is given already", f"see {self._options[entry.key.line - 1]}")

    def _place(self, option: str) -> Place:
        self._options.append(option)
        return Place(len(self._options), 1)


def _meant(kind: str) -> str:
    """``alive:5s`` is ``alive=5s``; any other by its letters."""
    known, colon, value = kind.partition(":")
    if colon and value and known in KINDS and known != "notify":
        return f"did you mean '{known}={value}'?"
    return did_you_mean(kind, KINDS)


def _listen(word: str) -> Any:
    named = re.fullmatch(r"([A-Za-z0-9._@-]+)=(.+)", word)
    return {"name": named[1], "address": named[2]} if named else word


def _value(text: str) -> Any:
    """Whole numbers, true and false, and lists as a run file has them; all else is text."""
    if text.isascii() and text.isdigit():
        return int(text)
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("[") and text.endswith("]"):
        wrong = Findings("")
        listed = parse(text, wrong)
        return text if wrong else to_data(listed) if listed else text
    return text


def _node(value: Any, place: Place) -> Node:
    if isinstance(value, list):
        return Listing(place, tuple(_node(one, place) for one in value))
    if isinstance(value, dict):
        entries = {key: Entry(place, _node(one, place)) for key, one in value.items()}
        return Table(place, entries)
    return Scalar(place, value)
