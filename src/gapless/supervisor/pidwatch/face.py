"""The process that everybody knows."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from gapless.supervisor.pidwatch.descendants import exit_code, kill_descendants
from gapless.supervisor.pidwatch.process import Process
from gapless.supervisor.pidwatch.signals import ALL, OURS


def face(keeper: Process) -> int:
    """Pass signals on until the keeper ends; returns the exit code."""
    while True:
        number = signal.sigwaitinfo(ALL).si_signo
        if number not in OURS:
            with suppress(ProcessLookupError):
                keeper.send(number)
        elif number == signal.SIGCHLD:
            status = _status_of(keeper.pid)
            if status is not None:
                kill_descendants()  # there are some when the keeper was killed
                return exit_code(status)


def _status_of(keeper: int) -> int | None:
    """None while it lives. Others are waited for as well: a shell may have started some before it
    became us."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in (0, keeper):
            return status if pid else None
