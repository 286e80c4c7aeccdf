"""The two processes, put together."""

from __future__ import annotations

import os
import signal
import sys

from gapless.supervisor import linux
from gapless.supervisor.pidwatch.face import face
from gapless.supervisor.pidwatch.keeper import UNKNOWN, Keeper
from gapless.supervisor.pidwatch.pidfile import Pidfile
from gapless.supervisor.pidwatch.process import Process
from gapless.supervisor.pidwatch.saying import complain, impossible, say
from gapless.supervisor.pidwatch.stop import Stop
from gapless.supervisor.pidwatch.wanted import Wanted


def keep(wanted: Wanted, pidfile: Pidfile, known: Process | None) -> int:
    """Returns the exit code."""
    try:
        return Keeper(wanted, pidfile, known).run()
    except Stop as stop:
        return complain(stop)
    except OSError as error:
        return complain(impossible(error))


def watch(wanted: Wanted) -> int:
    """Returns the exit code."""
    pidfile = Pidfile(wanted.pidfile)
    if pidfile.missing and not wanted.quiet:
        say(f"there is no {pidfile.missing} yet: the daemon has to make it")
    linux.adopt_orphans()
    me = os.getpid()
    if me == 1:
        return keep(wanted, pidfile, None)
    pid = os.fork()
    if pid:
        return face(Process(pid))
    try:
        os._exit(_keep_for(wanted, pidfile, me))
    except BaseException:  # never into the code of the face
        sys.excepthook(*sys.exc_info())
        os._exit(UNKNOWN)


def _keep_for(wanted: Wanted, pidfile: Pidfile, known: int) -> int:
    """In the keeper."""
    os.setsid()
    linux.call_itself(b"pidwatch-keeper")
    linux.adopt_orphans()
    held = Process(os.getppid())
    if os.getppid() != known:  # killed already
        return 128 + signal.SIGKILL
    return keep(wanted, pidfile, held)
