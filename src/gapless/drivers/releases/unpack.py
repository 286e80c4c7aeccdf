"""Files out of a tar or zip, as if somebody hostile had made it.

1. Every name lies inside: no absolute ones, no ``..``, nothing below a symlink.
2. Files, folders and symlinks only; hard links to what came before become copies of it. A device or
   a pipe is refused, and so is a set-ID bit.
3. A symlink leads to a place inside, unless whoever asks takes links as they are (a commit's are
   its author's, like its programs).
4. The same name twice is refused: which one is meant is a matter of the program that reads it.
5. No more than a limit of bytes and entries, counted while they are written, not as they are told.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gapless.errors import Refused

MOST_BYTES = 64 << 30
MOST_ENTRIES = 2_000_000
_CHUNK = 1 << 20
_SET_ID = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


@dataclass(frozen=True, slots=True)
class Rules:
    """``links_outside``: whether symlinks may lead anywhere."""

    where: str
    links_outside: bool = False
    most_bytes: int = MOST_BYTES
    most_entries: int = MOST_ENTRIES


@dataclass(frozen=True, slots=True)
class Entry:
    """One of an archive: ``kind`` is file, folder, link or copy (of ``target``, which came before);
    ``time`` seconds since the epoch."""

    name: str
    kind: str
    mode: int
    time: float
    target: str = ""
    content: IO[bytes] | None = None


class Unpacking:
    """Into one folder that is empty at first."""

    def __init__(self, into: Path, rules: Rules) -> None:
        self._into = into
        self._rules = rules
        self._seen: dict[str, str] = {"": "folder"}
        self._folders: dict[str, tuple[int, float]] = {}
        self._left = rules.most_bytes

    def take(self, entry: Entry) -> None:
        """Write one entry."""
        name = self._plain(entry.name)
        if name == "":
            return
        if entry.mode & _SET_ID and entry.kind == "file":
            raise self._refused(entry.name, "has a set-ID bit")
        self._make_parents(name)
        if self._seen.get(name) == "folder" and entry.kind == "folder":
            self._note_folder(name, entry)
            return
        if name in self._seen:
            raise self._refused(entry.name, "is there twice")
        if len(self._seen) > self._rules.most_entries:
            raise self._refused(entry.name, f"is one of more than {self._rules.most_entries:,}")
        self._seen[name] = entry.kind
        path = self._into / name
        if entry.kind == "folder":
            path.mkdir()
            self._note_folder(name, entry)
        elif entry.kind == "link":
            self._link(entry, name, path)
        else:
            self._file(entry, path)

    def finish(self) -> None:
        """Modes and times of folders, the innermost first: writing into them changes both."""
        for name, (mode, time) in sorted(self._folders.items(), reverse=True):
            path = self._into / name
            path.chmod(mode)
            os.utime(path, (time, time))

    def _plain(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise self._refused(name, "leads outside")
        return "/".join(parts)

    def _make_parents(self, name: str) -> None:
        parent = posixpath.dirname(name)
        if not parent or self._seen.get(parent) == "folder":
            return
        if parent in self._seen:
            raise self._refused(name, "lies below something that is no folder")
        self._make_parents(parent)
        (self._into / parent).mkdir()
        self._seen[parent] = "folder"
        self._folders[parent] = (0o755, 0.0)

    def _note_folder(self, name: str, entry: Entry) -> None:
        self._folders[name] = (entry.mode & 0o777 | 0o700, entry.time)

    def _link(self, entry: Entry, name: str, path: Path) -> None:
        target = entry.target
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        outside = target.startswith("/") or inside == ".." or inside.startswith("../")
        if not target or (outside and not self._rules.links_outside):
            raise self._refused(entry.name, f"is a link that leads outside: {target or 'nowhere'}")
        path.symlink_to(target)
        os.utime(path, (entry.time, entry.time), follow_symlinks=False)

    def _file(self, entry: Entry, path: Path) -> None:
        with path.open("xb") as out:
            if entry.kind == "copy":
                self._copy(entry, out)
            elif entry.content is not None:
                self._pour(entry, entry.content, out)
        path.chmod(entry.mode & 0o777)
        os.utime(path, (entry.time, entry.time))

    def _copy(self, entry: Entry, out: IO[bytes]) -> None:
        source = self._plain(entry.target)
        if self._seen.get(source) not in ("file", "copy"):
            raise self._refused(entry.name, f"is a hard link to {entry.target}, which is no file")
        with (self._into / source).open("rb") as content:
            self._pour(entry, content, out)

    def _pour(self, entry: Entry, content: IO[bytes], out: IO[bytes]) -> None:
        while data := content.read(_CHUNK):
            self._left -= len(data)
            if self._left < 0:
                raise self._refused(entry.name, f"is more than {self._rules.most_bytes:,} bytes")
            out.write(data)

    def _refused(self, name: str, why: str) -> Refused:
        return Refused(
            f"{name!r} {why}",
            where=self._rules.where,
            evidence="nothing of it was brought anywhere",
            next=f"look into {self._rules.where} before it is used again",
        )
