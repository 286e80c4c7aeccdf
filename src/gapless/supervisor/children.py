"""Starting programs and learning of their end.

1. Fork; in the child: own session, default signals, exactly the descriptors asked for, limits,
   user, death with the parent, directory; then exec. A failure of any of it comes back through a
   pipe that exec closes.
2. A child is signalled through its pidfd, never by its number.
3. Who ended is asked with wait: nobody else may, so a number is ours until then. Orphans that
   were adopted are only buried.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gapless.supervisor import linux, processes
from gapless.supervisor.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

Ended = Callable[[int], None]
"""Called with the raw status of wait."""
Refused = Callable[[int, int], None]
"""Called with a process, and the signal that it may not be sent."""


@dataclass(frozen=True)
class Launch:
    """Everything needed to start a program."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    """Complete: exactly what it gets, and ``pid_variables``."""
    directory: str = ""
    fds: Mapping[int, int] = field(default_factory=dict)
    """Its number to ours; all others are closed but 0, 1 and 2."""
    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] | None = None
    umask: int = -1
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    pid_variables: tuple[str, ...] = ()
    """Set to its own process number."""


class Child:
    """One program that was started and not waited for yet."""

    def __init__(self, pid: int, mark: str, ended: Ended, refused: Refused) -> None:
        self.pid, self.mark = pid, mark
        self.status: int | None = None
        self._ended, self._refused = ended, refused
        self._fd = os.pidfd_open(pid)

    def signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.status is not None:
            return
        try:
            signal.pidfd_send_signal(self._fd, number)
        except ProcessLookupError:
            pass
        except PermissionError:  # it has become another user
            self._refused(self.pid, number)

    def kill_all(self) -> None:
        """It, all of its session, and what escaped from that. Until it was waited for, its number
        is nobody else's, and so is that of its session."""
        self.signal(signal.SIGKILL)
        if self.status is None:
            processes.kill_where(self._is_of_us)
        else:
            processes.kill_marked(self.mark)

    def bury_orphans(self, orphans: list[int]) -> None:
        """It has ended and was not waited for: what it left behind goes as well."""
        if any(self._is_of_us(pid) for pid in orphans):
            processes.kill_where(self._is_of_us)

    def _is_of_us(self, pid: int) -> bool:
        of = processes.session(pid)
        return of != -1 and pid != self.pid and (of == self.pid or self._marked(pid))

    def _marked(self, pid: int) -> bool:
        return bool(self.mark) and processes.marked(pid, self.mark)

    def buried(self, status: int) -> None:
        """It was waited for."""
        self.status = status
        os.close(self._fd)
        self._ended(status)


class Children:
    """All that were started here."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._known: dict[int, Child] = {}
        self.limits: dict[str, tuple[int, int]] = {}
        """What all start with, where ours were raised."""
        self.refused: Refused = _nothing

    def start(self, launch: Launch, ended: Ended) -> Child:
        """Raises OSError (with the program or file it is about) when it cannot be started."""
        read, write = os.pipe2(os.O_CLOEXEC)
        me = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _become(launch, {**self.limits, **launch.limits}, write, me)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(write)
        failure = _all(read)
        if failure:
            os.waitpid(pid, 0)
            number, _, where = failure.partition(b" ")
            raise OSError(int(number), os.strerror(int(number)), os.fsdecode(where))
        return self.adopt(pid, launch.environment.get(processes.MARK, ""), ended)

    def adopt(self, pid: int, mark: str, ended: Ended) -> Child:
        """A child of ours that this object did not start (before we replaced ourselves)."""
        child = self._known[pid] = Child(
            pid, mark, ended, lambda pid, number: self.refused(pid, number)
        )
        return child

    def reap(self) -> None:
        """Wait for all that have ended, and for the orphans that were adopted."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = self._known.get(ended.si_pid)
            if child is not None:
                child.bury_orphans([p for p in processes.our_children() if p not in self._known])
            _, status = os.waitpid(ended.si_pid, 0)
            if child is not None:
                del self._known[child.pid]
                child.buried(status)


def exit_code(status: int) -> int:
    """As a shell tells it: 128 + n for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def told(status: int) -> str:
    """In words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _all(read: int) -> bytes:
    found = b""
    while part := os.read(read, 4096):
        found += part
    os.close(read)
    return found


def _become(
    launch: Launch, limits: Mapping[str, tuple[int, int]], failures: int, parent: int
) -> NoReturn:
    """In the child: never returns, whatever happens."""
    where = ""
    try:
        where = launch.argv[0]
        os.setsid()
        _default_signals()
        failures = _arrange(launch.fds, failures)
        _limit(limits)
        if launch.umask >= 0:
            os.umask(launch.umask)
        _change_user(launch)
        linux.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        if launch.directory:
            where = launch.directory
            os.chdir(launch.directory)
            where = launch.argv[0]
        environment = dict(launch.environment)
        environment.update((name, str(os.getpid())) for name in launch.pid_variables)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(launch.argv[0], launch.argv, environment)
    except OSError as error:
        os.write(failures, f"{error.errno or 22} ".encode() + os.fsencode(where))
    except BaseException as error:  # a wrong limit, an impossible user
        os.write(failures, b"22 " + str(error).encode(errors="replace"))
    os._exit(127)


def _default_signals() -> None:
    """Python ignores PIPE and XFSZ, and whoever started us may ignore others: ignored signals
    stay ignored over exec."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):  # those libc keeps for itself
            signal.signal(number, signal.SIG_DFL)


def _arrange(fds: Mapping[int, int], failures: int) -> int:
    """Put descriptors where they belong, close all others; the new number of the failures' pipe.
    Sources are moved out of the way first: one may sit on another's place, or on its own, where
    dup2 would leave close-on-exec set."""
    beyond = max([2, *fds]) + 1
    moved = {ours: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, beyond) for ours in set(fds.values())}
    failures = fcntl.fcntl(failures, fcntl.F_DUPFD_CLOEXEC, beyond)
    for theirs, ours in fds.items():
        os.dup2(moved[ours], theirs, inheritable=True)
    keep = {0, 1, 2, failures, *fds}
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)
    return failures


def _limit(limits: Mapping[str, tuple[int, int]]) -> None:
    for name, (soft, hard) in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (soft, hard))


def _change_user(launch: Launch) -> None:
    if launch.groups is not None:
        os.setgroups(launch.groups)
    if launch.gid >= 0:
        os.setresgid(launch.gid, launch.gid, launch.gid)
    if launch.uid >= 0:
        os.setresuid(launch.uid, launch.uid, launch.uid)


def _nothing(_pid: int, _number: int) -> None: ...
