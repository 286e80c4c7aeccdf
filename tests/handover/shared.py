"""The folder that two copies of ``tests/unit/handover/program.py`` share, as a test sees it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.handover.site import request


class Shared:
    """``level`` and ``rate`` are those that the program was started with."""

    def __init__(self, folder: Path, level: str, rate: float) -> None:
        self.folder, self.level, self.rate = folder, level, rate

    @property
    def state(self) -> dict[str, Any]:
        """``state.json``."""
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    def living(self) -> dict[str, dict[str, Any]]:
        """What copies that answer say, by id."""
        found = {}
        for socket in self.folder.glob("ctl-*.sock"):
            with contextlib.suppress(OSError):
                status = request(socket, "GET", "/handover")[1]
                found[str(status["id"])] = status
        return found

    def active(self) -> str:
        """The only copy that lives, which handles events."""
        ((name, status),) = self.living().items()
        assert status["state"] == "ACTIVE", status
        return name

    def until(self, true: Callable[[], object], what: str, seconds: float = 150.0) -> None:
        """Wait for what can be seen."""
        ends = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ends, f"waited for {what} in vain"
            time.sleep(0.01)

    def effects(self) -> list[int]:
        """Numbers of events, one for each effect."""
        if self.level == "transactional":
            with contextlib.closing(sqlite3.connect(self.folder / "claims.db")) as database:
                rows = [row[0] for row in database.execute("SELECT line FROM effects")]
        else:
            rows = (self.folder / "effects").read_text().splitlines()
        return [int(row.split()[0]) for row in rows]

    def lost_and_doubled(self) -> tuple[list[int], list[int]]:
        """Of all events from the first effect to this moment."""
        now = int(time.monotonic() * self.rate)
        self.until(lambda: max(self.effects()) > now + self.rate, "what is at work")
        done = self.effects()
        every = range(min(done), now)
        return sorted(set(every) - set(done)), sorted({n for n in done if done.count(n) > 1})
