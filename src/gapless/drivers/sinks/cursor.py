"""How far each rollout has been told, so that a resume tells neither twice nor too little."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from gapless.drivers.sinks.files import replace_file
from gapless.events.event import Event

KEPT = 50
"""Rollouts remembered."""


class Cursor:
    """The highest number of an event handed to the sinks, by rollout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _read(path)
        self._saved = 0

    def new(self, event: Event) -> bool:
        """Whether the event was never handed over."""
        return event.seq > self._seen.get(event.rollout, 0)

    def note(self, event: Event) -> None:
        """Remember that it was; now and then on disk, because a crash does not ask."""
        if not self.new(event):
            return
        self._seen[event.rollout] = event.seq
        if event.seq - self._saved >= 20:
            self.save()
            self._saved = event.seq

    def save(self) -> None:
        """Write it down; a full disk costs a repeated event at most."""
        if not self._seen:
            return
        newest = dict(sorted(self._seen.items(), key=lambda item: item[1])[-KEPT:])
        with suppress(OSError):
            replace_file(self._path, json.dumps(newest))


def _read(path: Path) -> dict[str, int]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): int(v) for k, v in data.items()} if isinstance(data, dict) else {}
