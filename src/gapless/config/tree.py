"""YAML as a tree that remembers where everything stands.

A YAML 1.2 reading of plain words: only ``true`` and ``false`` are booleans (so ``on:`` and ``no``
are text), ``010`` and dates are text, and so is ``12e4567``: a short commit is not a number.
Anchors, aliases and ``<<`` merges work; keys given twice are problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from gapless.config.problems import Findings, Place

_TAG = "tag:yaml.org,2002:"
MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Aliases can make a small file enormous; a larger tree is refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """Text, a number, a boolean or nothing."""

    place: Place
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A sequence."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A mapping; keys are text as written."""

    place: Place
    entries: dict[str, Entry]

    def get(self, key: str) -> Node | None:
        """The value under ``key``."""
        entry = self.entries.get(key)
        return entry.node if entry else None


class Entry(NamedTuple):
    """A key's place and its value."""

    key: Place
    node: Node


Node = Scalar | Listing | Table


class _Resolver(yaml.resolver.BaseResolver):
    """Plain words by the YAML 1.2 core rules, narrowed."""


for _name, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+][0-9]+)?)?", "-+0123456789"),
    ("merge", r"<<", "<"),
):
    _Resolver.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first))


class _Composer(yaml.CSafeLoader, _Resolver):
    """libyaml's parser (every wheel of PyYAML brings it) with our reading of plain words."""

    yaml_implicit_resolvers = _Resolver.yaml_implicit_resolvers
    _depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Called on the way into every node: libyaml itself would run out of stack and crash."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem="nested too deeply", problem_mark=current_node.start_mark
            )

    def ascend_resolver(self) -> None:
        """Called on the way out of every node."""
        self._depth -= 1


def parse(text: str, findings: Findings) -> Node | None:
    """The tree of a document; what is wrong with it goes to ``findings``."""
    if odd := yaml.reader.Reader.NON_PRINTABLE.search(text):
        findings.add(_place_at(text, odd.start()), f"the character {odd.group()!r} is not allowed")
        return None
    try:
        root = _Composer(text).get_single_node()
        return _Builder(findings).build(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        place = _mark(error.problem_mark or error.context_mark)
        told = _TAB if _is_tab(text, place) else _wording(error)
        findings.add(place, *told)
    return None


def _place_at(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _mark(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


_TAB = ("not valid YAML: there is a tab", "YAML is indented with spaces only")


def _is_tab(text: str, place: Place) -> bool:
    """The scanner calls it a character that cannot start any token."""
    lines = text.splitlines()[place.line - 1 : place.line]
    return any(line[place.column - 1 : place.column] == "\t" for line in lines)


def _wording(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    where = f" at line {error.context_mark.line + 1}" if error.context_mark else ""
    hint = f"{error.context}{where}" if error.context else ""
    if "flow" in hint:
        hint += "; text with [ ] { } in it needs quotes here"
    return f"not valid YAML: {error.problem}", hint


class _Builder:
    """From PyYAML's nodes to ours; a node that is aliased is built once and shared."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()
        self._sizes: dict[int, int] = {}

    def build(self, node: Any) -> Node:
        known = self._done.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            self._findings.add(_mark(node.start_mark), "an alias contains itself")
            return Scalar(_mark(node.start_mark), None)
        self._open.add(id(node))
        built = self._build(node)
        self._open.discard(id(node))
        self._done[id(node)] = built
        self._measure(built)
        return built

    def _build(self, node: Any) -> Node:
        place = _mark(node.start_mark)
        if not node.tag.startswith(_TAG) or node.tag[len(_TAG) :] not in _KNOWN_TAGS:
            self._findings.add(place, f"unknown tag {node.tag.replace(_TAG, '!!')}")
            return Scalar(place, None)
        if isinstance(node, yaml.ScalarNode):
            return Scalar(place, self._value(node, place))
        if isinstance(node, yaml.SequenceNode):
            return Listing(place, tuple(self.build(item) for item in node.value))
        return Table(place, self._entries(node))

    def _value(self, node: Any, place: Place) -> str | int | float | bool | None:
        read = _VALUES.get(node.tag[len(_TAG) :], str)
        try:
            return read(node.value)
        except (ValueError, KeyError):
            self._findings.add(place, f"{node.value!r} is not {node.tag.replace(_TAG, '!!')}")
            return None

    def _entries(self, node: Any) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            place = _mark(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._findings.add(place, "a key must be text")
            elif key.tag == f"{_TAG}merge":
                self._merge(merged, self.build(value), place)
            elif key.value in own:
                first = own[key.value].key.line
                self._findings.add(place, f"key '{key.value}' is given twice", f"see line {first}")
            else:
                own[key.value] = Entry(place, self.build(value))
        return {**merged, **own} if merged else own

    def _merge(self, into: dict[str, Entry], node: Node, place: Place) -> None:
        tables = node.items if isinstance(node, Listing) else (node,)
        for table in tables:
            if not isinstance(table, Table):
                self._findings.add(place, "<< takes a mapping or a list of mappings")
                return
            for key, entry in table.entries.items():
                into.setdefault(key, entry)

    def _measure(self, node: Node) -> None:
        size = 1 + sum(self._sizes.get(id(child), 1) for child in children(node))
        self._sizes[id(node)] = size
        if size > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"aliases expand it beyond {MAX_NODES} values")


_KNOWN_TAGS = frozenset(("str", "int", "float", "bool", "null", "map", "seq"))
_VALUES: dict[str, Callable[[str], str | int | float | bool | None]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
    "null": lambda _: None,
}


def children(node: Node) -> tuple[Node, ...]:
    """The values directly inside."""
    if isinstance(node, Table):
        return tuple(entry.node for entry in node.entries.values())
    return node.items if isinstance(node, Listing) else ()


def to_data(node: Node) -> Any:
    """Plain dicts, lists and scalars."""
    if isinstance(node, Table):
        return {key: to_data(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Listing):
        return [to_data(item) for item in node.items]
    return node.value


def locate(root: Node, path: tuple[str | int, ...]) -> tuple[Place, Place, Node]:
    """Place of the key, place of the value, and the value that ``path`` leads to.

    Steps that are not in the tree (a tag of a union, the index of an item that was written
    without its list, a missing key) are passed over.
    """
    key, node = root.place, root
    for step in path:
        if isinstance(node, Table) and (entry := node.entries.get(str(step))):
            key, node = entry
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            key = node.place
    return key, node.place, node
