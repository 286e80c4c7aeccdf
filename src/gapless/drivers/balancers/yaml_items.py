"""Items of a list in YAML or JSON that come and go: every other line stays. No side effects."""

from __future__ import annotations

import yaml

from gapless.drivers.balancers.yaml_places import Place, UnreadableError

_EMPTY = "  []"
"""Deeper than its key, which a list in block style need not be."""


def added(text: str, place: Place, entry: str) -> str:
    """``text`` with one more item at the head of a list; ``entry`` is JSON. A list that is written
    as nothing at all is an empty one. Raises UnreadableError where there is no list."""
    node = place.node
    if isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None:
        at = node.start_mark.index
        return f"{text[:at]} [{entry}]{text[at:]}"
    if not isinstance(node, yaml.SequenceNode):
        raise UnreadableError("there is no list to add it to")
    at = node.start_mark.index
    if node.flow_style:
        more = ", " if node.value else ""
        return f"{text[: at + 1]}{entry}{more}{text[at + 1 :]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:at]}- {entry}{newline}{' ' * node.start_mark.column}{text[at:]}"


def removed(text: str, place: Place, item: Place) -> str:
    """``text`` without an item of a list, with the comment on its line. Raises UnreadableError
    where it is not in it, or begins on the line of something else."""
    node = place.node
    found = node.value if isinstance(node, yaml.SequenceNode) else []
    index = next((n for n, one in enumerate(found) if _same(one, item)), None)
    if index is None or not isinstance(node, yaml.SequenceNode):
        raise UnreadableError("it is in no list")
    if node.flow_style:
        start, end = _in_flow(found, index)
        return f"{text[:start]}{text[end:]}"
    return _out_of_block(text, node, index)


def _same(node: yaml.Node, item: Place) -> bool:
    """Whether both stand in the same place of the text."""
    return item.node is not None and node.start_mark.index == item.node.start_mark.index


def _in_flow(found: list[yaml.Node], index: int) -> tuple[int, int]:
    """With the comma after it, else the one before it."""
    one: yaml.Node = found[index]
    if index + 1 < len(found):
        return one.start_mark.index, found[index + 1].start_mark.index
    start = found[index - 1].end_mark.index if index else one.start_mark.index
    return start, one.end_mark.index


def _out_of_block(text: str, node: yaml.SequenceNode, index: int) -> str:
    column, one = node.start_mark.column, node.value[index]
    start = _dash(text, one, column)
    end = _line_end(text, _content_end(one))
    if len(node.value) == 1:
        newline = "\r\n" if text[start:end].endswith("\r\n") else "\n"
        return f"{text[:start]}{_EMPTY}{newline if end > start else ''}{text[end:]}"
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():
        raise UnreadableError("its list begins on the line of something else")
    return f"{text[:line]}{text[end:]}"


def _dash(text: str, one: yaml.Node, column: int) -> int:
    """Where the dash before it is: on its line or, where it begins on another one, above."""
    line = text.rfind("\n", 0, one.start_mark.index) + 1
    while text[line + column : line + column + 1] != "-":
        if line == 0:
            raise UnreadableError("nothing shows where it begins")
        line = text.rfind("\n", 0, line - 1) + 1
    return line + column


def _content_end(node: yaml.Node) -> int:
    """A block ends for the parser where the next thing begins, after comments of that."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _content_end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _content_end(node.value[-1])
    end: int = node.end_mark.index
    return end


def _line_end(text: str, at: int) -> int:
    """After the line break; a text that is written in lines ends with one already."""
    if text[:at].endswith("\n"):
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1
