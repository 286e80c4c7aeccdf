"""Looking for processes by something unique in their command line."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path

_COUNTER = itertools.count(1)


def unique_seconds() -> str:
    """An argument for sleep that nobody else uses."""
    return f"{70000 + os.getpid() % 9000}.{next(_COUNTER):04d}"


def running(word: str) -> dict[int, str]:
    """Processes (no zombies) whose command line, words ending in spaces, begins so."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if line.startswith(word):
                    found[int(entry.name)] = line
    return found


def wait_for(count: int, word: str, patience: float) -> dict[int, str]:
    """Wait until so many processes are left or have come; what there is in the end."""
    until = time.monotonic() + patience
    while len(found := running(word)) != count and time.monotonic() < until:
        time.sleep(0.02)
    return found
