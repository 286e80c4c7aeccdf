"""Whatever happens to the demo, nothing of it is left: all that it starts carries a mark."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

MARK = "DEMO_FOLDER"
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIMIT = 10.0


class Stopped(BaseException):
    """Somebody wants it to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def listen() -> None:
    """From now on these signals raise Stopped."""
    for number in STOPS:
        signal.signal(number, _stop)


def end_all(folder: Path) -> None:
    """For good: nothing disturbs that."""
    _be_deaf()
    kill_all(folder)


def kill_all(folder: Path) -> None:
    """Whatever was started for this folder, until nothing of it runs."""
    until = time.monotonic() + LIMIT
    while (left := _marked(folder)) and time.monotonic() < until:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def show_cursor() -> None:
    """gapless hides it while it draws, and was killed in that."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[?25h")


def _stop(number: int, _frame: FrameType | None) -> None:
    _be_deaf()
    raise Stopped(number)


def _be_deaf() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def _marked(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if os.fsencode(folder) in told and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found
