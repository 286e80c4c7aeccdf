"""YAML and JSON that is altered in place: one value at a time, every other byte stays.

A file is read into nodes that know where they stand in the text. No side effects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml


class UnreadableError(ValueError):
    """It is no YAML, or not one document of it; the parser's words are the evidence."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a document. Asking for what is not there gives nothing, never an error."""

    node: yaml.Node | None

    def __getitem__(self, key: str) -> Place:
        """The value of a key of a mapping; ``snake_case`` is found in other spellings as well."""
        found = self.named(key)
        if found.node is None:
            for name, value in self._pairs():
                if _plain(name) == _plain(key):
                    return value
        return found

    def named(self, key: str) -> Place:
        """The value of a key that somebody chose, exactly as it is written."""
        return next((value for name, value in self._pairs() if name == key), Place(None))

    def names(self) -> tuple[str, ...]:
        """The keys of a mapping."""
        return tuple(name for name, _ in self._pairs())

    def items(self) -> Iterator[Place]:
        """The values of a list."""
        if isinstance(self.node, yaml.SequenceNode):
            yield from map(Place, self.node.value)

    def _pairs(self) -> Iterator[tuple[str, Place]]:
        if isinstance(self.node, yaml.MappingNode):
            for name, value in self.node.value:
                if isinstance(name, yaml.ScalarNode):
                    yield name.value, Place(value)

    @property
    def text(self) -> str:
        """The scalar as it is written, without quotes; "" for everything else."""
        return str(self.node.value) if isinstance(self.node, yaml.ScalarNode) else ""


def parse(text: str) -> Place:
    """The root of the one document in it. Raises UnreadableError."""
    try:
        return Place(yaml.compose(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableError(str(error) or type(error).__name__) from None


def written(text: str, mapping: Place, key: str, value: str) -> str:
    """``text`` with this value of a key of a mapping in it, which gets the key if it has none.
    ``value`` is one plain word. Raises UnreadableError where there is no such mapping."""
    node = mapping.node
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise UnreadableError(f"there is no mapping for {key}")
    present = mapping[key].node
    if present is None:
        return _inserted(text, node, key, value)
    if not isinstance(present, yaml.ScalarNode):
        raise UnreadableError(f"{key} is no single value")
    quote = present.style if present.style in ('"', "'") else ""
    start, end = present.start_mark.index, present.end_mark.index
    return f"{text[:start]}{quote}{value}{quote}{text[end:]}"


def _inserted(text: str, node: yaml.MappingNode, key: str, value: str) -> str:
    """With the key in front of the first one, quoted as that is."""
    first = node.value[0][0]
    quote = first.style if first.style in ('"', "'") else ""
    number = value.removeprefix("-").isdigit()
    word = value if number else f"{quote}{value}{quote}"
    entry = f"{quote}{key}{quote}: {word}"
    start = first.start_mark.index
    if node.flow_style:
        return f"{text[:start]}{entry}, {text[start:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:start]}{entry}{newline}{' ' * first.start_mark.column}{text[start:]}"


def _plain(key: str) -> str:
    return key.replace("_", "").lower()
