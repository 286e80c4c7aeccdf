"""Lines of log files between two moments, over rotation and truncation.

1. A mark is a place in a file: inode, offset, and what the file begins with. What was written since
   is read from there, under whatever name the inode has now; a file that is shorter than its mark
   or begins otherwise is another one, and is read from its beginning. Files that came after the
   marked one are read whole.
2. Without a mark the last megabytes are read, of rotated files too, as far as they are not older
   than what is wanted.
3. A line counts when its own time lies in between; a line without one is as old as the line before.
   Where no line says when it was written, all that came after the mark counts, and nothing that
   came before the first one.
"""

from __future__ import annotations

import glob
import os
import time
import zlib

from gapless.hostside import log_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from gapless.hostside.log_incidents import Incidents

    Mark = list[Any]

_BACK = 16 << 20
"""Bytes that are read of each file without a mark."""
_LONGEST = 1 << 20
_HEAD = 64
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".lz4")


class Files:
    """All files that some patterns match. ``marks``: path to the mark of an earlier reading, which
    was made at ``marked`` (None: there is none)."""

    def __init__(self, patterns: list[str], marks: dict[str, Mark], marked: float | None) -> None:
        self._patterns = patterns
        self._old = marks
        self._marked = marked
        self.marks: dict[str, Mark] = {}
        self._oldest: float | None = None
        self._untimed = False

    def read(
        self, since: float, until: float, incidents: Incidents, before: Incidents
    ) -> float | None:
        """Feed ``incidents``, and with what is older ``before``; the seconds that are covered, None
        where there is no file, or no line that says when it was written."""
        paths = sorted({path for one in self._patterns for path in glob.glob(one)})
        paths = [path for path in paths if os.path.isfile(path) and not path.endswith(_PACKED)]
        rotated = {twin for path in paths for twin in _twins(path)}
        for path in [path for path in paths if path not in rotated]:
            for line in self._lines(path, since):
                self._feed(line, since, until, incidents, before, path)
        if not paths:
            return None
        if self._marked is not None:
            return until - (min(since, self._marked) if self._untimed else since)
        return None if self._oldest is None else max(until - max(since, self._oldest), 0.0)

    def _lines(self, path: str, since: float) -> Iterator[tuple[str, float | None]]:
        chain, mark = _chain(path), self._old.get(path)
        known = [stat.st_ino for _, stat in chain]
        if mark is not None and mark[0] in known:
            chain = _after(chain, known.index(mark[0]), mark)
        else:
            mark = None
            chain = [one for one in chain if one[0] == path or one[1].st_mtime >= since]
        for name, _ in chain:
            try:
                file = open(name, "rb")  # noqa: SIM115 - closed below
            except FileNotFoundError:  # rotated away meanwhile
                continue
            with file:
                yield from self._of_file(file, self._begin(file, mark))
                mark = None  # those after it are younger than the mark
                if name == path:
                    self.marks[path] = _mark(file)

    def _begin(self, file: BinaryIO, mark: Mark | None) -> int:
        if mark is not None:
            return _place(file, mark)
        return _last_part(file) if self._marked is None else 0

    def _of_file(self, file: BinaryIO, begin: int) -> Iterator[tuple[str, float | None]]:
        file.seek(begin)
        at: float | None = None
        while True:
            place = file.tell()
            line = file.readline(_LONGEST)
            if not line.endswith(b"\n") and len(line) < _LONGEST:
                file.seek(place)  # not whole yet: the next reading has it
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            said = log_times.of_line(text)
            at = said if said is not None else at
            yield text, at

    def _feed(
        self,
        line: tuple[str, float | None],
        since: float,
        until: float,
        incidents: Incidents,
        before: Incidents,
        path: str,
    ) -> None:
        text, at = line
        if at is None:
            self._untimed = True
            counts = self._marked is not None
            (incidents if counts else before).feed(time.time(), text, stream=path)
            return
        self._oldest = at if self._oldest is None else min(self._oldest, at)
        if at < until:
            (incidents if at >= since else before).feed(at, text, stream=path)


def _twins(path: str) -> list[str]:
    """Names that rotation gives an older part of a file."""
    found = glob.glob(glob.escape(path) + "[.-]*")
    return [name for name in found if os.path.isfile(name) and not name.endswith(_PACKED)]


def _chain(path: str) -> list[tuple[str, os.stat_result]]:
    """A file and its older parts, the oldest first; the file itself is the last."""
    found = [(name, stat) for name in (*_twins(path), path) for stat in _stat(name)]
    return sorted(found, key=lambda one: (one[0] == path, one[1].st_mtime))


def _stat(path: str) -> list[os.stat_result]:
    """Nothing when it has gone meanwhile."""
    try:
        return [os.stat(path)]
    except OSError:
        return []


def _after(
    chain: list[tuple[str, os.stat_result]], place: int, mark: Mark
) -> list[tuple[str, os.stat_result]]:
    """From the marked file on; from its copy, where it was copied and then cut."""
    if chain[place][1].st_size < mark[1]:
        for before in range(place):
            with open(chain[before][0], "rb") as file:
                if _place(file, mark):
                    return chain[before:]
    return chain[place:]


def _place(file: BinaryIO, mark: Mark) -> int:
    """Where a marked file, or a copy of it, is to be read on; 0 in any other."""
    _, offset, length, head = mark
    size = os.fstat(file.fileno()).st_size
    return offset if size >= offset and zlib.crc32(file.read(length)) == head else 0


def _last_part(file: BinaryIO) -> int:
    size = os.fstat(file.fileno()).st_size
    if size <= _BACK:
        return 0
    file.seek(size - _BACK)
    file.readline(_LONGEST)
    return file.tell()


def _mark(file: BinaryIO) -> Mark:
    """The place up to which a file was read."""
    offset, length = file.tell(), min(_HEAD, file.tell())
    file.seek(0)
    head = zlib.crc32(file.read(length))
    return [os.fstat(file.fileno()).st_ino, offset, length, head]
