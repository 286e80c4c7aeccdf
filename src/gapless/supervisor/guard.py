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
    """It survives the replacement of our own process by new code. ``run`` marks all that we
    start."""

    def __init__(self, run: str, pid: int, write: int) -> None:
        self.run, self.pid, self.write = run, pid, write
        self._sessions: set[int] = set()
        os.set_inheritable(write, False)

    @classmethod
    def posted(cls, run: str) -> Guard:
        """A new one."""
        return cls(run, *_posted(run))

    def post_again(self) -> None:
        """It was killed."""
        os.close(self.write)
        self.pid, self.write = _posted(self.run)
        for session in self._sessions:
            self._tell(session)

    def knows(self, session: int) -> None:
        """A copy was started."""
        self._sessions.add(session)
        self._tell(session)

    def forgets(self, session: int) -> None:
        """Nothing of it is left."""
        self._sessions.discard(session)
        self._tell(-session)

    def dismiss(self) -> None:
        """Nothing is left to guard."""
        os.close(self.write)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _tell(self, number: int) -> None:
        with contextlib.suppress(BrokenPipeError):  # killed: another will be told
            os.write(self.write, b"%d\n" % number)


def _posted(run: str) -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    # its signals are not to be taken for ours, which go into a pipe that it shares at first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        _stand_by(run, read)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(read)
    return pid, write


def _stand_by(run: str, read: int) -> NoReturn:
    try:
        os.setsid()
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
