"""The command is started."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress

from gapless.supervisor import linux
from gapless.supervisor.pidwatch.process import Process
from gapless.supervisor.pidwatch.signals import ALL
from gapless.supervisor.pidwatch.stop import NOT_EXECUTABLE, NOT_FOUND, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def start(command: list[str], known_as: int) -> Process:
    """In a session of its own, so that Ctrl-C at a terminal comes to it once, through us."""
    read, write = os.pipe2(os.O_CLOEXEC)
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(command, known_as, me, write)
    os.close(write)
    failure = os.read(read, 16)
    os.close(read)
    if failure:
        os.waitpid(pid, 0)
        raise _not_started(command[0], int(failure))
    return Process(pid)


def _become(command: list[str], known_as: int, parent: int, failures: int) -> NoReturn:
    """In the child: never returns."""
    try:
        os.setsid()
        linux.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        environment = given()
        if environment.get(b"LISTEN_PID") == b"%d" % known_as:
            environment[b"LISTEN_PID"] = b"%d" % os.getpid()
        _default_signals()
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(failures, b"%d" % (error.errno or errno.EINVAL))
    except BaseException:  # a zero byte in a word
        os.write(failures, b"%d" % errno.EINVAL)
    os._exit(NOT_FOUND)


def given() -> dict[bytes, bytes]:
    """The environment as it was given to us: Python may have added LC_CTYPE to its own."""
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return dict(os.environb)
    return dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)


def _default_signals() -> None:
    """Ignored signals would stay ignored over exec, blocked ones blocked."""
    for number in ALL - {signal.SIGKILL, signal.SIGSTOP}:
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _not_started(program: str, number: int) -> Stop:
    if number in (errno.ENOENT, errno.ENOTDIR):
        script = os.path.isfile(program)
        what = f"{program}: its interpreter was not found" if script else f"{program}: not found"
        code, then = NOT_FOUND, f"head -1 {program}" if script else f"command -v {program}"
    else:
        what = f"{program}: cannot be executed"
        code, then = NOT_EXECUTABLE, f"ls -ld {program}"
    return Stop(code, what, evidence=os.strerror(number), next=then)
