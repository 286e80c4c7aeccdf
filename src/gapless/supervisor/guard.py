"""A second process that outlives a supervisor that was killed, for a moment: it ends what the death
of the parent does not, the programs that a copy had started.

It does nothing but wait for the end of a pipe. Until then it is told which sessions are ours: a
number is nobody else's while the session has members, and is forgotten when it has none.
"""

from __future__ import annotations

import contextlib
import os
import signal

from gapless.supervisor import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Guard:
    """Started once; it survives the replacement of our own process by new code. ``run`` marks all
    that we start."""

    def __init__(self, run: str, pid: int, write: int) -> None:
        self.run, self.pid, self.write = run, pid, write
        os.set_inheritable(write, False)

    @classmethod
    def posted(cls, run: str) -> Guard:
        """A new one."""
        read, write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _stand_by(run, read)
        os.close(read)
        return cls(run, pid, write)

    def knows(self, session: int) -> None:
        """A copy was started."""
        os.write(self.write, b"%d\n" % session)

    def forgets(self, session: int) -> None:
        """Nothing of it is left."""
        os.write(self.write, b"-%d\n" % session)

    def dismiss(self) -> None:
        """Nothing is left to guard."""
        os.close(self.write)
        os.waitpid(self.pid, 0)


def _stand_by(run: str, read: int) -> NoReturn:
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd != read:
                _close(fd)
        sessions = _told(read)
        processes.kill_where(
            lambda pid: processes.session(pid) in sessions or _lives_marked(pid, run)
        )
    finally:
        os._exit(0)


def _told(read: int) -> set[int]:
    sessions: set[int] = set()
    rest = b""
    while part := os.read(read, 4096):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            number = int(line)
            (sessions.add if number > 0 else sessions.discard)(abs(number))
    return sessions


def _lives_marked(pid: int, run: str) -> bool:
    return processes.session(pid) != -1 and processes.marked(pid, f"{run}-")


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)
