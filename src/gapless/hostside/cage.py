"""A control group around the helper and all it starts (cgroup v2, root only).

What neither the process tree nor the marker would find, the kernel does.
"""

from __future__ import annotations

import contextlib
import os
import time

from gapless.hostside import files

_PREFIX = "gapless-helper-"


class Cage:
    """The helper's own cgroup."""

    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.path = f"{parent}/{_PREFIX}{os.getpid()}"

    def enter(self) -> None:
        """Make it and move in; children are born inside."""
        os.mkdir(self.path)
        self._move(self.path, os.getpid())

    def destroy(self) -> None:
        """Kill all that is left inside; we step out first."""
        with contextlib.suppress(OSError):
            self._move(self.parent, os.getpid())
            files.write_text(f"{self.path}/cgroup.kill", "1")
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                return
            time.sleep(0.01)

    def _move(self, group: str, pid: int) -> None:
        files.write_text(f"{group}/cgroup.procs", str(pid))


def enter_cage() -> Cage | None:
    """A cage, None where there can be none."""
    if os.geteuid() != 0:
        return None
    try:
        parent = _mount() + _own_path()
        _sweep(parent)
        cage = Cage(parent)
        cage.enter()
    except (OSError, LookupError):
        return None
    return cage


def _mount() -> str:
    for line in files.read_text("/proc/self/mounts").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return where
    raise LookupError("no cgroup v2")


def _own_path() -> str:
    for line in files.read_text("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:].rstrip("/")
    raise LookupError("no cgroup v2")


def _sweep(parent: str) -> None:
    # Left by helpers that were killed; the kernel keeps those that still have processes.
    for name in os.listdir(parent):
        if name.startswith(_PREFIX):
            with contextlib.suppress(OSError):
                os.rmdir(f"{parent}/{name}")
