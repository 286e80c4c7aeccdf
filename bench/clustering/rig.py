"""A real cluster of one system on this machine, as the benchmark needs it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from gapless.prove.workload import Workload
from tests.clusters.site import KEEPER, Site

_PATIENCE, _AGAIN = 120.0, 5.0
_START = """
sleep "$1"; kept=$2; shift 2
"$@" && { cat "$kept.pid"; echo; } >>"$kept.starts"
"""
"""Down for a while first; and each process that was started is written down."""


class Rig:
    """``name`` is that of the system; ``rate``: operations a second of its client; ``stall``: how
    long an operation may take with gapless, in seconds; ``first``: of how many operations in a roll
    the first attempt may come to nothing; ``together``: keys of the service with which gapless
    restarts several at a time. ``failures``: what a question to it may raise."""

    name: ClassVar[str]
    rate: ClassVar[float]
    stall: ClassVar[float | None] = None
    first: ClassVar[int | None] = None
    together: ClassVar[dict[str, Any]] = {}
    failures: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    site: Site

    def begin(self, down: float) -> None:
        """It runs, and each member that gapless restarts stays down for so many seconds."""
        self.site.begin()  # type: ignore[attr-defined]
        keep = self.site.folder / "keep"
        keeper = [sys.executable, str(KEEPER), str(keep), "{host}"]
        self.site.settings["command"] = {
            "start": ["sh", "-c", _START, "sh", f"{down}", f"{keep}/{{host}}", *keeper, "start"],
            "stop": [*keeper, "stop"],
            "status": [*keeper, "status"],
        }
        self.settle()

    def settle(self) -> None:
        """Returns when all members are there, in sync, and agree."""
        self.wait(self.well, "all is well")

    def end(self) -> None:
        """Nothing of it runs any more."""
        self.site.end()

    def workload(self, run: str) -> Workload:
        """Its client."""
        raise NotImplementedError

    def leaders(self) -> list[str]:
        """Hosts of those that lead."""
        raise NotImplementedError

    def well(self) -> bool:
        """Whether all members are there, in sync, and agree. Raises ``failures``."""
        raise NotImplementedError

    def door(self, name: str) -> tuple[str, int]:
        """Where a member's clients go."""
        raise NotImplementedError

    def hand_over(self, name: str) -> None:
        """What this member leads, by the system's own command, as its manual says."""

    def held(self) -> str:
        """What is held back there, as for a handover, in words; "" for nothing."""
        return ""

    def starts(self) -> dict[str, int]:
        """How often gapless has started each member again."""
        files = {name: self.site.folder / "keep" / f"{name}.starts" for name in self.site.names}
        return {
            name: len(set(file.read_text().split())) if file.exists() else 0
            for name, file in files.items()
        }

    def stop(self, name: str) -> None:
        """Told to end until it has: Redis does not while it writes its first file down."""
        pid = int(self.site.keep(name, "status"))
        until = time.monotonic() + _PATIENCE
        while self._runs(pid):
            os.kill(pid, signal.SIGTERM)
            again = time.monotonic() + _AGAIN
            while self._runs(pid) and time.monotonic() < again:
                time.sleep(0.01)
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name}: {name} does not end")

    def listens(self, name: str) -> bool:
        """Whether its port takes connections: no more."""
        with suppress(OSError), socket.create_connection(self.door(name), timeout=1):
            return True
        return False

    def _runs(self, pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    def wait(self, holds: Callable[[], object], what: str) -> None:
        """Until it holds; who does not answer yet is waited for."""
        until, error = time.monotonic() + _PATIENCE, ""
        while True:
            try:
                if holds():
                    return
            except self.failures as silence:
                error = f": {silence}"
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name}: waited in vain until {what}{error}")
            time.sleep(0.05)
