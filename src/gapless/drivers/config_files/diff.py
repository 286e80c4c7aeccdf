"""What would change in one file of one host, as far as a person may see it.

1. The new side is the file as it was rendered with ``***`` for secrets.
2. The old side is the live file. Where secrets are in play (now, or when it was written), or not
   everybody on the host may read it, a line of it is shown only if it is known: from what gapless
   wrote last, or because it stays. An old password that nobody told us is never printed.
3. What is no text is told by its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

from gapless.drivers.config_files.base import (
    ABSENT,
    FILE,
    LINK,
    LiveFile,
    RenderedFile,
    Written,
)
from gapless.drivers.config_files.marks import Marks, as_live

HIDDEN = "*** (not shown: there are secrets in this file)"
LINES = 2000
"""Lines of one diff that a plan carries."""
_OTHERS = 0o004


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file: lines of a diff ("-", "+", " " or "@@" in front), and what else is to be told."""

    path: str
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def change(
    new: RenderedFile, live: LiveFile, old: bytes | None, known: Written | None, marks: Marks
) -> FileChange | None:
    """None when the file stays as it is. ``old`` is the live content where it differs, None where
    it cannot be read; ``known`` what gapless wrote there last."""
    if as_live(new) == live:
        return None
    drifted = known is not None and marks.knows(known.mark) and known.mark != marks.of_live([live])
    notes = list(_notes(new, live, drifted=drifted))
    if live.kind == FILE and live.sha256 == as_live(new).sha256:
        return FileChange(new.path, (), tuple(notes))
    before = _old_side(new, live, old, None if drifted else known, suspect=known)
    if new.shown is None or before is None:
        notes.append(_sizes(new, live, old))
        return FileChange(new.path, (), tuple(notes))
    lines = [*unified_diff(before, new.shown.splitlines(), n=2, lineterm="")][2:]
    if len(lines) > LINES:
        notes.append(f"{len(lines) - LINES:,} more lines differ")
    return FileChange(new.path, tuple(lines[:LINES]), tuple(notes))


def _notes(new: RenderedFile, live: LiveFile, *, drifted: bool) -> Iterator[str]:
    if drifted:
        gone = "removed" if live.kind == ABSENT else "changed"
        yield f"{gone} on the host since gapless wrote it"
    if live.kind == ABSENT:
        yield "not there yet; undo removes it"
    elif live.kind == LINK:
        yield f"replaces a symbolic link to {live.target}; undo puts it back"
    elif live.kind != FILE:
        yield "refused: there is something that is neither a file nor a link"
    else:
        if live.mode != new.mode:
            yield f"mode {live.mode:04o} → {new.mode:04o}"
        yield from _owned(live, new.owner)


def _owned(live: LiveFile, owner: str) -> Iterator[str]:
    (user, _, group), (wanted, _, its_group) = live.owner.partition(":"), owner.partition(":")
    wanted = wanted or live.writer
    if user and user != wanted:
        yield f"owner {user} → {wanted}"
    if group != its_group:
        yield f"group {group} → {its_group}"


def _old_side(
    new: RenderedFile,
    live: LiveFile,
    old: bytes | None,
    known: Written | None,
    *,
    suspect: Written | None,
) -> list[str] | None:
    """Lines of the live file; None where it is no text."""
    if live.kind != FILE:
        return []
    if known is not None and known.shown is not None:
        return known.shown.splitlines()
    text = _text(old)
    if text is None:
        return None
    secret = new.secret or (suspect is not None and suspect.shown is not None)
    if not secret and (known is not None or live.mode & _OTHERS):
        return text.splitlines()
    staying = _staying(new)
    return [staying.get(line, HIDDEN) for line in text.splitlines()]


def _staying(new: RenderedFile) -> Mapping[str, str]:
    """Lines of the new file, to what a person may see of each."""
    real, shown = new.content.decode().splitlines(), (new.shown or "").splitlines()
    if len(real) != len(shown):  # a secret of several lines: only what is not part of one
        return {line: line for line in shown if line in frozenset(real)}
    return dict(zip(real, shown, strict=True))


def _text(content: bytes | None) -> str | None:
    try:
        text = content.decode() if content is not None else None
    except UnicodeDecodeError:
        return None
    return None if text is None or "\0" in text else text


def _sizes(new: RenderedFile, live: LiveFile, old: bytes | None) -> str:
    if live.kind == FILE and old is None:
        return "what is there cannot be read, or is too large to be compared"
    before = f"{len(old):,} → " if old is not None else ""
    why = "not shown" if _text(new.content) is not None else "not text"
    return f"{why}: {before}{len(new.content):,} bytes"
