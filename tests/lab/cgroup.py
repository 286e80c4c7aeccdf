"""One cgroup of the unified hierarchy: everything started in it, to freeze or to kill at once."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from .shell import LabError


@cache
def unified_hierarchy() -> Path | None:
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside v1."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


class Cgroup:
    """A cgroup with all those below it, named from the root of the hierarchy."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        """Its folder. Raises LabError where there is no cgroup v2."""
        hierarchy = unified_hierarchy()
        if hierarchy is None:
            raise LabError("cgroup v2 is not mounted")
        return hierarchy / self.name

    def create(self) -> None:
        """Make it, with its parents; it may exist."""
        self.path.mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whether it is there, with or without processes."""
        return self.path.is_dir()

    def entering(self) -> str:
        """The shell command with which a shell puts itself, and so its children, into it."""
        return f"echo 0 > '{self.path}/cgroup.procs'"

    def pids(self) -> list[int]:
        """The processes in it and below, as they were a moment ago."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            with suppress(OSError):  # removed since we listed it
                found += map(int, Path(folder, "cgroup.procs").read_text().split())
        return found

    def populated(self) -> bool:
        """Whether any process lives in it or below."""
        return self._event("populated")

    def freeze(self, timeout: float = 10.0) -> None:
        """Stop its processes where they are; returns when they stand still."""
        (self.path / "cgroup.freeze").write_text("1")
        self._await("frozen", True, timeout)

    def thaw(self, timeout: float = 10.0) -> None:
        """Let them go on."""
        (self.path / "cgroup.freeze").write_text("0")
        self._await("frozen", False, timeout)

    def kill(self, timeout: float = 10.0) -> None:
        """SIGKILL everything in it, frozen or not, and wait until it is gone."""
        if self.exists():
            (self.path / "cgroup.kill").write_text("1")
            self._await("populated", False, timeout)
            (self.path / "cgroup.freeze").write_text("0")

    def remove(self) -> None:
        """Remove it and those below, here and where v1 hierarchies mirror it; needs no process."""
        for hierarchy in _hierarchies():
            for folder, _, _ in os.walk(hierarchy / self.name, topdown=False):
                os.rmdir(folder)

    def wait_empty(self, timeout: float) -> None:
        """Wait until its last process has ended."""
        self._await("populated", False, timeout)

    def _await(self, event: str, value: bool, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self._event(event) is not value:
            if time.monotonic() > deadline:
                raise LabError(f"cgroup {self.name}: {event} is not {value} after {timeout:g} s")
            time.sleep(0.01)

    def _event(self, name: str) -> bool:
        try:
            return f"{name} 1" in (self.path / "cgroup.events").read_text().splitlines()
        except FileNotFoundError:
            return False


def _hierarchies() -> list[Path]:
    """The unified hierarchy and, on a hybrid machine, those of v1 in which nspawn mirrors it."""
    beside = [path for path in Path("/sys/fs/cgroup").iterdir() if path.is_dir()]
    unified = unified_hierarchy()
    if unified is None or unified == Path("/sys/fs/cgroup"):
        return [unified] if unified else []
    return [path for path in beside if not path.is_symlink()]
