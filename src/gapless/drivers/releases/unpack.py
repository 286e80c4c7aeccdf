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
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
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
class _Entry:
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

    def take(self, entry: _Entry) -> None:
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

    def _note_folder(self, name: str, entry: _Entry) -> None:
        self._folders[name] = (entry.mode & 0o777 | 0o700, entry.time)

    def _link(self, entry: _Entry, name: str, path: Path) -> None:
        target = entry.target
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        outside = target.startswith("/") or inside == ".." or inside.startswith("../")
        if not target or (outside and not self._rules.links_outside):
            raise self._refused(entry.name, f"is a link that leads outside: {target or 'nowhere'}")
        path.symlink_to(target)
        os.utime(path, (entry.time, entry.time), follow_symlinks=False)

    def _file(self, entry: _Entry, path: Path) -> None:
        with path.open("xb") as out:
            if entry.kind == "copy":
                self._copy(entry, out)
            elif entry.content is not None:
                self._pour(entry, entry.content, out)
        path.chmod(entry.mode & 0o777)
        os.utime(path, (entry.time, entry.time))

    def _copy(self, entry: _Entry, out: IO[bytes]) -> None:
        source = self._plain(entry.target)
        if self._seen.get(source) not in ("file", "copy"):
            raise self._refused(entry.name, f"is a hard link to {entry.target}, which is no file")
        with (self._into / source).open("rb") as content:
            self._pour(entry, content, out)

    def _pour(self, entry: _Entry, content: IO[bytes], out: IO[bytes]) -> None:
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


def unpack_tar(file: IO[bytes], into: Path, rules: Rules) -> None:
    """A tar that is not compressed, or by gzip or xz."""
    with tarfile.open(fileobj=file, mode="r|*") as tar:
        _take_all(_tar_entries(tar, rules), into, rules)


def unpack_zip(file: IO[bytes], into: Path, rules: Rules) -> None:
    """A zip."""
    with zipfile.ZipFile(file) as archive:
        _take_all(_zip_entries(archive, rules), into, rules)


def _take_all(entries: Iterator[_Entry], into: Path, rules: Rules) -> None:
    unpacking = Unpacking(into, rules)
    for entry in entries:
        unpacking.take(entry)
    unpacking.finish()


def _tar_entries(tar: tarfile.TarFile, rules: Rules) -> Iterator[_Entry]:
    for member in tar:
        mode, time = member.mode, float(member.mtime)
        if member.isreg():
            yield _Entry(member.name, "file", mode, time, content=tar.extractfile(member))
        elif member.isdir():
            yield _Entry(member.name, "folder", mode, time)
        elif member.issym():
            yield _Entry(member.name, "link", mode, time, member.linkname)
        elif member.islnk():
            yield _Entry(member.name, "copy", mode, time, member.linkname)
        else:
            raise Refused(
                f"{member.name!r} is neither file, folder nor link",
                where=rules.where,
                next=f"look into {rules.where} before it is used again",
            )


def _zip_entries(archive: zipfile.ZipFile, rules: Rules) -> Iterator[_Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        time = _zip_time(info)
        if info.flag_bits & 1:
            raise Refused(f"{info.filename!r} is encrypted", where=rules.where)
        if info.is_dir():
            yield _Entry(info.filename, "folder", mode & 0o7777 or 0o755, time)
        elif stat.S_ISLNK(mode):
            target = archive.read(info) if info.file_size < _CHUNK else b""
            yield _Entry(info.filename, "link", 0o777, time, os.fsdecode(target))
        elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise Refused(f"{info.filename!r} is neither file, folder nor link", where=rules.where)
        else:
            with archive.open(info) as content:
                yield _Entry(info.filename, "file", mode & 0o7777 or 0o644, time, content=content)


def _zip_time(info: zipfile.ZipInfo) -> float:
    """A zip has local times without a zone: read as UTC, they are the same everywhere."""
    import calendar

    return float(calendar.timegm((*info.date_time, 0, 0, 0)))


def remove(path: Path) -> None:
    """A file or a whole tree; nothing there is fine. Folders that nobody may write into, too."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            if not os.access(folder, os.W_OK | os.X_OK):
                Path(folder).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
