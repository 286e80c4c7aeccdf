"""What the controller keeps of releases: whole folders by name, each with a note beside it.

1. A folder with a release's name is complete: it gets its name by one rename(2).
2. It is compared with its digest when it is used again; one that was damaged is made anew.
3. Kept are the newest by use, and, however old, what a host runs or would go back to: each host's
   names are written down when its deploy commits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.removing import remove
from gapless.drivers.releases.workshop import short_hash
from gapless.hostside.files import digest_of, write_atomically

_TORN = ".incoming-"


@dataclass(frozen=True, slots=True)
class Record:
    """A kept release: what it is, and the ``recipe`` (all that decides its content) it was made
    by. ``more`` is what its source and build say of it, as JSON."""

    ref: ReleaseRef
    recipe: str
    more: Mapping[str, Any] = field(default_factory=dict)


class KeptStore:
    """The kept releases of one service, in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """Where a release lies, or would."""
        return self.root / name

    def told(self, name: str) -> Record | None:
        """What its note says, without a look at the release."""
        return self._read(self._note(name))

    def named(self, name: str) -> Record | None:
        """A release that is whole."""
        record = self.told(name)
        return record if record is not None and self._sound(record) else None

    def made_by(self, recipe: str) -> Record | None:
        """A whole release made by this recipe."""
        same = (record for record in self.records() if record.recipe == recipe)
        return next((record for record in same if self._sound(record)), None)

    def records(self) -> Iterator[Record]:
        """All of them, the last used first."""
        notes = sorted(self.root.glob(".*.json"), key=_used, reverse=True)
        found = (self._read(note) for note in notes)
        return (record for record in found if record is not None)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for one that is being made; what is left in it goes."""
        folder = Path(tempfile.mkdtemp(dir=self.root, prefix=_TORN))
        try:
            yield folder
        finally:
            remove(folder)

    def accept(self, folder: Path, record: Record) -> None:
        """``folder`` becomes the release. One of that name that is damaged goes first."""
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._sound(record):
                remove(self.folder(record.ref.name))
                folder.chmod(0o755)
                folder.rename(self.folder(record.ref.name))
            self._note_down(record)

    def _note_down(self, record: Record) -> None:
        note = {"ref": record.ref.to_json(), "recipe": record.recipe, "more": dict(record.more)}
        write_atomically(str(self._note(record.ref.name)), json.dumps(note).encode())

    def used(self, name: str) -> None:
        """It is the newest now."""
        with contextlib.suppress(OSError):
            now = LoopClock().now()  # finer than the kernel's own stamp
            os.utime(self._note(name), (now, now))

    def needed_by(self, host: str, names: tuple[str, ...]) -> None:
        """What a host runs, and what it would go back to."""
        content = json.dumps({"host": host, "names": list(names)}).encode()
        write_atomically(str(self.root / f".{short_hash(host)}.needs"), content)

    def prune(self, keep: int) -> tuple[str, ...]:
        """Remove what is neither among the ``keep`` last used nor needed; the removed."""
        needed = {name for file in self.root.glob(".*.needs") for name in _needs(file)}
        names = [record.ref.name for record in self.records()]
        surplus = [name for name in names[keep:] if name not in needed]
        for name in surplus:
            self._note(name).unlink(missing_ok=True)
            remove(self.folder(name))
        return tuple(surplus)

    def _note(self, name: str) -> Path:
        return self.root / f".{name}.json"

    def _read(self, note: Path) -> Record | None:
        try:
            data = json.loads(note.read_bytes())
            return Record(ReleaseRef.from_json(data["ref"]), data["recipe"], data["more"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _sound(self, record: Record) -> bool:
        return digest_of(str(self.folder(record.ref.name))) == record.ref.digest


def _used(note: Path) -> float:
    with contextlib.suppress(OSError):
        return note.stat().st_mtime
    return 0.0


def _needs(file: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads(file.read_bytes())["names"])
    except (OSError, ValueError, KeyError):
        return ()
