"""The entries of a unit's journal between two moments."""

from __future__ import annotations

import contextlib
import json
import subprocess

from gapless.hostside import log_levels
from gapless.hostside.faults import Fault, from_os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gapless.hostside.log_incidents import Incidents

_LONGEST = 1 << 20
_FIELDS = "MESSAGE,PRIORITY,_PID"
_BASE = ("journalctl", "--no-pager", "--quiet", "--all", "--output=json")


class Journal:
    """One unit, or the two copies of an instance, a space between their names. ``folder``: whose
    files are read, "" for the system's own."""

    def __init__(self, unit: str, folder: str) -> None:
        self._which = [*_BASE, "--output-fields=" + _FIELDS]
        self._which += ["--directory=" + folder] if folder else []
        self._units = ["--unit=" + name for name in unit.split()]

    def read(self, since: float, until: float, incidents: Incidents) -> float | None:
        """Feed what was written in ``[since, until)``; the seconds that are covered, None where
        the unit never wrote anything."""
        between = [f"--since=@{int(since)}", f"--until=@{int(until) + 1}"]
        for entry in _entries([*self._which, *self._units, *between]):
            at = _time(entry)
            if since <= at < until:
                level = log_levels.of_priority(str(entry.get("PRIORITY") or ""))
                incidents.feed(at, _text(entry.get("MESSAGE")), level, str(entry.get("_PID")))
        if not incidents.lines and self._first(self._units) is None:
            return None
        oldest = self._first([])
        return max(until - max(since, oldest or since), 0.0)

    def _first(self, which: list[str]) -> float | None:
        """When the oldest entry was written."""
        for entry in _entries([*self._which, *which]):
            return _time(entry)
        return None


def _entries(argv: list[str]) -> Iterator[dict[str, Any]]:
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise from_os_error(error, "the journal cannot be read") from error
    assert process.stdout is not None and process.stderr is not None
    try:
        while True:
            line = process.stdout.readline(_LONGEST)
            if not line:
                break
            with contextlib.suppress(ValueError):  # cut off: longer than any line should be
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry
        complaint = process.stderr.read(4096).decode("utf-8", "replace").strip()
        if process.wait() != 0 and complaint:
            raise Fault("the journal cannot be read", evidence=complaint)
    finally:
        process.stdout.close()
        process.stderr.close()
        process.kill()
        process.wait()


def _time(entry: dict[str, Any]) -> float:
    return int(entry.get("__REALTIME_TIMESTAMP") or 0) / 1e6


def _text(message: object) -> str:
    """A message is text, or numbers where it is none; a field given twice is a list of texts."""
    if isinstance(message, list):
        if all(isinstance(part, int) for part in message):
            return bytes(part & 0xFF for part in message).decode("utf-8", "replace")
        return "\n".join(_text(part) for part in message)
    return message if isinstance(message, str) else ""
