"""A second process that outlives a supervisor that was killed, for a moment: it ends what the death
of the parent does not, the programs that a copy had started.

It does nothing but wait for the end of a pipe. Until then it is told which sessions are ours: a
number is nobody else's while the session has members, and is forgotten when it has none.

1. It waits as a shell, which needs a tenth of the memory; where there is none, as Python.
2. At the end of the pipe it becomes a Python that kills what is left. Its program was put into
   memory at the start: the files may be gone by then, with an old version of ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal

from gapless.supervisor import processes

SHELL = "/bin/sh"
_OVER = 0
"""Told instead of a session: nothing is left to guard."""
_WAIT = """
told=' '
while read -r n; do
    case $n in
        0) exit 0 ;;
        -*) case $told in *" ${n#-} "*) told="${told%% ${n#-} *} ${told#* ${n#-} }" ;; esac ;;
        *) case $told in *" $n "*) ;; *) told="$told$n " ;; esac ;;
    esac
done
exec "$1" -I -S /proc/self/fd/3 "$2" $told
"""
"""Standard input is the pipe, descriptor 3 the program that comes after; $1 the interpreter, $2 our
mark."""
_END = """
import sys

kill_left(sys.argv[1], {int(word) for word in sys.argv[2:]})
"""

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
        self._tell(_OVER)
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
        _wait_as_shell(run, read)
        _keep_only(read)
        if _OVER not in (sessions := _told(read)):
            processes.kill_left(run, sessions)
    finally:
        os._exit(0)


def _wait_as_shell(run: str, read: int) -> None:
    """Comes back only where that is not possible."""
    if not os.access(SHELL, os.X_OK):
        return
    with contextlib.suppress(OSError):
        program = os.memfd_create("guard", os.MFD_CLOEXEC)
        with open(processes.__file__, "rb") as file:
            os.write(program, file.read() + _END.encode())
        # neither is in the other's way
        program, read = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (program, read))
        os.dup2(read, 0)
        os.dup2(program, 3)
        _keep_only(0, 3)
        python = os.readlink("/proc/self/exe")
        os.execv(SHELL, ["sh", "-c", _WAIT, "gapless-guard", python, run])


def _keep_only(*fds: int) -> None:
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd not in fds:
            _close(fd)


def _told(read: int) -> set[int]:
    sessions: set[int] = set()
    rest = b""
    while part := os.read(read, 4096):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            number = int(line)
            (sessions.add if number >= 0 else sessions.discard)(abs(number))
    return sessions


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)
