"""Commands written as if a shell ran them. None does: a pipe would be an argument like any other.

Only ``gapless check`` minds: somebody may mean the characters. A list of words says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gapless.config.references import Finding, Path
from gapless.config.source import Loaded
from gapless.config.tree import locate, to_data
from gapless.errors import Problem

_SECTIONS = ("balancers", "services", "events")
_COMMANDS = frozenset(
    ("start", "stop", "status", "reload", "drain", "admit", "state", "run", "down", "command")
)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')+""", re.DOTALL)
_LITERAL = re.compile(r"\\.|'[^']*'", re.DOTALL)
"""What no shell would look into."""
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_OPERATOR = re.compile(r"\|\|?|&&?|;|\d*(?:>>?|<<?)(?:&\d|[^\s&]*)")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[{(])|`")
_SHELL = re.compile(r"-[a-z]*c")


def shell_syntax(loaded: Loaded) -> Iterator[Problem]:
    """Every command line that would need a shell and has none."""
    if loaded.tree is None:
        return
    data = to_data(loaded.tree)
    for section in _SECTIONS:
        for finding in _commands((section,), data.get(section)):
            _, place, _ = locate(loaded.tree, finding.path)
            file = str(loaded.path)
            yield Problem(file, place.line, place.column, finding.text, finding.hint)


def _commands(path: Path, value: Any) -> Iterator[Finding]:
    if isinstance(value, str) and path[-1] in _COMMANDS:
        found = shell_word(value)
        if found:
            text = f"{path[-1]}: no shell runs this, so '{found}' means nothing"
            yield Finding(path, text, "write it as: sh -c '…'")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _commands((*path, str(key)), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str):  # a list of words means each as it is
                yield from _commands((*path, index), item)


def shell_word(line: str) -> str:
    """The first thing in a command line that only a shell understands; "" when there is none."""
    words: list[str] = _WORD.findall(line)
    if any(_SHELL.fullmatch(word) for word in words):
        return ""
    for word in words:
        seen = _LITERAL.sub("", word)
        bare = _QUOTED.sub("", seen)
        if bare == word and (_OPERATOR.fullmatch(bare) or bare.endswith((";", "&&", "||"))):
            return word
        variable = _VARIABLE.search(seen)
        if variable:
            return variable[0] if variable[0][-1] not in "({" else f"{variable[0]}…"
    return ""
