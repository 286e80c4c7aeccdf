"""What copies write. A terminal, a file, the journal are inherited as they are; a pipe is given as
a pipe of our own and passed on, so that the last words of a copy that failed can be told.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Mapping

from gapless.supervisor.loop import Loop
from gapless.supervisor.outlet import Outlet
from gapless.supervisor.stream import Stream

KEPT = 80
"""Lines of each copy: with several workers the reason may stand some tracebacks before the end."""
_READ = 1 << 16
"""Bytes of a file."""
_ALIKE = 3
_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_STREAMS = (1, 2)


def is_pipe(fd: int) -> bool:
    """Whether a descriptor is a pipe (a closed one is not)."""
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def source(fd: int = 2) -> str:
    """Where to look for what was written: ``journal``, ``terminal``, a path, or "" (nowhere)."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return ""
    if stat.S_ISSOCK(mode):
        return "journal" if "JOURNAL_STREAM" in os.environ else ""
    if stat.S_ISREG(mode):
        return os.readlink(f"/proc/self/fd/{fd}")
    return "terminal" if os.isatty(fd) else ""


class Output:
    """The streams of one copy."""

    def __init__(self, loop: Loop, outlets: Mapping[int, Outlet], manner: str) -> None:
        self._loop, self._outlets = loop, outlets
        self.lines: deque[str] = deque(maxlen=KEPT)
        self._streams: list[Stream] = []
        self.fds: dict[int, int] = {}
        """The copy's number to the end of the pipe it gets."""
        self._file = source()
        self._from = os.fstat(2).st_size if self._file.startswith("/") else 0
        wanted = [fd for fd in _STREAMS if manner == "relay" or (manner == "auto" and is_pipe(fd))]
        if len(wanted) == len(_STREAMS) and os.path.sameopenfile(*_STREAMS):
            # one pipe for both keeps the order of what is written
            self._pipe(1)
            self.fds[2] = self.fds[1]
            return
        for fd in wanted:
            self._pipe(fd)

    def _pipe(self, fd: int) -> None:
        read, self.fds[fd] = os.pipe2(os.O_CLOEXEC)
        self._read(read, fd)

    def _read(self, read: int, to: int) -> None:
        self._streams.append(Stream(self._loop, read, to, self._outlets[to], self.lines))

    @classmethod
    def inherited(
        cls, loop: Loop, outlets: Mapping[int, Outlet], pipes: dict[str, int], lines: list[str]
    ) -> Output:
        """After the process replaced itself: the reading ends by stream."""
        self = cls(loop, outlets, "inherit")
        self._file = ""
        self.lines.extend(lines)
        for fd, read in pipes.items():
            self._read(read, int(fd))
        return self

    def pipes(self) -> dict[str, int]:
        """What ``inherited`` takes."""
        return {str(stream.to): stream.read for stream in self._streams if stream.read >= 0}

    def given(self) -> None:
        """The copy has its ends: ours are closed, so that its end is seen."""
        for fd in set(self.fds.values()):
            os.close(fd)
        self.fds = {}

    def last(self) -> list[str]:
        """The last lines, as far as they can be known here."""
        for stream in self._streams:
            stream.drain()
        if self._file.startswith("/") and not self.lines:
            return _tail(self._file, self._from)
        return list(self.lines)

    def close(self) -> None:
        """The copy and all of its children have ended, or it was never started."""
        self.given()
        for stream in self._streams:
            stream.drain()
            stream.close()


def _tail(path: str, start: int) -> list[str]:
    """What has come since into a file that the old copy writes to as well."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        size = os.fstat(fd).st_size
        start = max(start, size - _READ) if size >= start else 0
        text = os.pread(fd, _READ, start)
    finally:
        os.close(fd)
    return _thinned(text.decode(errors="replace").splitlines())[-KEPT:]


def _thinned(lines: list[str]) -> list[str]:
    """Of lines that differ in numbers only the last few: the requests that the old copy answers
    meanwhile would hide why the new one ended."""
    seen: dict[str, int] = {}
    kept: list[str] = []
    for line in reversed(lines):
        shape = line.translate(_DIGITS)
        seen[shape] = seen.get(shape, 0) + 1
        if seen[shape] <= _ALIKE:
            kept.append(line)
    return kept[::-1]
