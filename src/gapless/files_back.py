"""What a rollback changes in configuration files: what its deploy changed, the other way round.

The plan of a rollback is made from the journal, and no host is asked. So this is what the plan of
the deploy saw there before, as far as it showed it: secrets stay hidden.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

_HUNK = re.compile(r"^@@ -(\S+) \+(\S+) @@")
_FROM_TO = re.compile(r"^((?:mode|owner|group) |not (?:shown|text): )(\S+) → (\S+)(.*)$")
_NEW = "not there yet; undo removes it"
_TURNED = {"+": "-", "-": "+"}


def files_back(
    changes: Iterable[Mapping[str, Any]], hosts: Collection[str]
) -> tuple[Mapping[str, Any], ...]:
    """Of the hosts that go back."""
    found = []
    for change in changes:
        where = [host for host in change["hosts"] if host in hosts]
        if where:
            lines, notes = list(_lines(change["lines"])), [*_notes(change["notes"])]
            found.append({"file": change["file"], "hosts": where, "lines": lines, "notes": notes})
    return tuple(found)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """What was added is taken away, and told first."""
    for changed, run in groupby(lines, key=lambda line: line[:1] in _TURNED):
        if not changed:
            yield from (_HUNK.sub(r"@@ -\2 +\1 @@", line) for line in run)
            continue
        turned = [_TURNED[line[0]] + line[1:] for line in run]
        yield from sorted(turned, key=lambda line: line[0] == "+")


def _notes(notes: Iterable[str]) -> Iterator[str]:
    for note in notes:
        if note == _NEW:
            yield "removed, as it was not there before"
        elif match := _FROM_TO.match(note):
            yield f"{match[1]}{match[3]} → {match[2]}{match[4]}"
        elif note.startswith("replaces a symbolic link"):
            yield "the symbolic link is put back"
