"""Those that descend from us, and their end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from gapless.supervisor import processes
from gapless.supervisor.pidwatch.process import Process

KILLING = 5.0
"""Seconds until what was killed must be gone; the kernel may hold a process longer."""


def descendant(pid: int) -> Process | None:
    """The process of that number, if it descends from us; it is held from before that is asked."""
    try:
        process = Process(pid)
    except (OSError, OverflowError):
        return None
    if process.descends_from(os.getpid()):
        return process
    process.close()
    return None


def kill_descendants() -> None:
    """Until none is left: those whose parent died are our own children by then, so nobody is left
    when we have no child."""
    until = time.monotonic() + KILLING
    while _bury() and (left := until - time.monotonic()) > 0:
        for pid in processes.everybody():
            process = descendant(pid)
            if process is not None:
                with process, suppress(ProcessLookupError, PermissionError):
                    process.send(signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _bury() -> bool:
    """Wait for whoever has ended; whether a child is left."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def exit_code(status: int) -> int:
    """As a shell tells it: 128 + n for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
