"""What copies write. A terminal, a file, the journal are inherited as they are; a pipe is given as
a pipe of our own and passed on, so that the last words of a copy that failed can be told.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque

from gapless.supervisor.loop import READ, WRITE, Loop

KEPT = 80
"""Lines of each copy: with several workers the reason may stand some tracebacks before the end."""
_LONGEST = 4096
_PART = 4096
"""A pipe that can be written to takes so much at once (PIPE_BUF)."""
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

    def __init__(self, loop: Loop, manner: str) -> None:
        self._loop = loop
        self.lines: deque[str] = deque(maxlen=KEPT)
        self._streams: list[_Stream] = []
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
        self._streams.append(_Stream(self._loop, read, fd, self.lines))

    @classmethod
    def inherited(cls, loop: Loop, pipes: dict[str, int], lines: list[str]) -> Output:
        """After the process replaced itself: the reading ends by stream."""
        self = cls.__new__(cls)
        self._loop, self.lines, self.fds = loop, deque(lines, maxlen=KEPT), {}
        self._file, self._from = "", 0
        self._streams = [_Stream(loop, read, int(fd), self.lines) for fd, read in pipes.items()]
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
        """The copy and all of its children have ended."""
        for stream in self._streams:
            stream.drain()
            stream.close()


class _Stream:
    """One pipe: read, kept, and passed on as fast as it is taken."""

    def __init__(self, loop: Loop, read: int, to: int, lines: deque[str]) -> None:
        self._loop, self.read, self.to, self._lines = loop, read, to, lines
        os.set_blocking(read, False)
        os.set_inheritable(read, False)
        self._rest = b""
        self._held = b""
        self._out = _own_end(to)
        loop.watch(read, READ, self._readable)

    def drain(self) -> None:
        """Everything that is there now."""
        while self.read >= 0 and not self._held and self._take():
            pass

    def close(self) -> None:
        if self.read >= 0:
            self._loop.forget(self.read)
            os.close(self.read)
            self.read = -1
        self._loop.forget(self._out)
        if self._out != self.to:
            os.close(self._out)
            self._out = self.to
        self._keep(b"\n" if self._rest else b"")

    def _readable(self, _events: int) -> None:
        self._take()

    def _take(self) -> bool:
        try:
            part = os.read(self.read, _PART)
        except BlockingIOError:
            return False
        if not part:
            self._loop.forget(self.read)
            os.close(self.read)
            self.read = -1
            return False
        self._keep(part)
        self._pass_on(part)
        return True

    def _keep(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._rest = self._rest[-_LONGEST:]
        self._lines.extend(line[-_LONGEST:].decode(errors="replace") for line in lines)

    def _pass_on(self, part: bytes) -> None:
        """Whoever reads slowly holds up the copy, as without us, and nobody else."""
        try:
            done = os.write(self._out, part)
        except BlockingIOError:
            done = 0
        except OSError:  # nobody reads any more: the copy is not to end for that
            return
        if done < len(part):
            self._held = part[done:]
            self._loop.forget(self.read)
            self._loop.watch(self._out, WRITE, self._writable)

    def _writable(self, _events: int) -> None:
        part, self._held = self._held, b""
        self._loop.forget(self._out)
        self._pass_on(part)
        if not self._held and self.read >= 0:
            self._loop.watch(self.read, READ, self._readable)


def _own_end(fd: int) -> int:
    """An end of the same pipe that does not block, without changing that for those who share it."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_APPEND
        return os.open(f"/proc/self/fd/{fd}", flags)
    return fd


def _tail(path: str, start: int) -> list[str]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        size = os.fstat(fd).st_size
        start = max(start, size - 16384) if size >= start else 0
        text = os.pread(fd, 16384, start)
    finally:
        os.close(fd)
    return text.decode(errors="replace").splitlines()[-KEPT:]
