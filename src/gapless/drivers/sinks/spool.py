"""What could not be delivered, on disk until it can.

One file per sink. Whoever starts takes it by a rename, so that two programs never replay the same
events; a file taken by a program that died is taken again. What was delivered in the meantime may
then arrive twice (rollout and seq tell), but nothing is lost and the order is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gapless.drivers.sinks.files import append_line
from gapless.events.event import Event


class Spool:
    """The waiting events of one sink."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f"{name}.spool"
        self._mine = folder / f"{name}.spool.{os.getpid()}"

    def take(self) -> list[Event]:
        """Everything that waits, oldest first; it stays on disk until ``put_back``."""
        for orphan in sorted(self._file.parent.glob(f"{self._file.name}.*")):
            if not _alive(orphan.name.rpartition(".")[2]):
                self._move(orphan)
        self._move(self._file)
        return [event for event in map(_event, _lines(self._mine)) if event is not None]

    def put_back(self, events: Iterable[Event]) -> None:
        """Keep what is still undelivered and forget the rest."""
        for event in events:
            append_line(self._file, event.to_line())
        self._mine.unlink(missing_ok=True)

    def _move(self, path: Path) -> None:
        """Append a file to ours, and remove it; a rename first, so that only one of two does."""
        held = path.with_name(f"{self._mine.name}.moving")
        with suppress(FileNotFoundError):
            path.rename(held)
            for line in _lines(held):
                append_line(self._mine, line)
            held.unlink()


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _event(line: str) -> Event | None:
    """The event of a line; None for one torn by a crash."""
    try:
        return Event.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
