"""What a build left: a folder of its own, called after its content, and how it got there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gapless.config.quantities import format_duration
from gapless.drivers.releases.removing import remove
from gapless.hostside.files import digest_of, write_atomically

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Artifact:
    """``folder`` holds it, at the names it has in a release; ``key`` says what it was built from.
    ``built`` tells whether it was built just now, in ``seconds``; ``size`` in bytes."""

    key: str
    digest: str
    folder: Path
    names: tuple[str, ...]
    size: int
    seconds: float
    built: bool = True

    def told(self) -> str:
        """A sentence for a plan."""
        what = f"artifact {self.digest[:_SHOWN]} ({', '.join(self.names)}, {in_bytes(self.size)})"
        if not self.built:
            return f"{what} is used again: same key {self.key[:_SHOWN]}"
        took = format_duration(round(self.seconds, 1 if self.seconds < 10 else 0) or 0.1)
        return f"{what} was built in {took}, key {self.key[:_SHOWN]}"

    def to_json(self) -> dict[str, Any]:
        """What a note tells of it."""
        return {
            "artifact": {
                "key": self.key,
                "digest": self.digest,
                "folder": str(self.folder),
                "names": list(self.names),
                "size": self.size,
                "seconds": round(self.seconds, 3),
                "built": self.built,
            }
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Artifact:
        """The artifact a note tells of."""
        told = data["artifact"]
        return cls(
            told["key"],
            told["digest"],
            Path(told["folder"]),
            tuple(told["names"]),
            told["size"],
            told["seconds"],
            told["built"],
        )


class Artifacts:
    """Those of one service, in ``root``: folders by digest, notes by key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, key: str) -> Artifact | None:
        """What was built for this key, when it is still whole."""
        note = self._note(key)
        try:
            found = Artifact.from_json(json.loads(note.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        folder = self.root / found.digest
        if digest_of(str(folder)) != found.digest:
            return None
        with contextlib.suppress(OSError):
            os.utime(note)
        return replace(found, folder=folder, built=False)

    def accept(self, key: str, folder: Path, names: tuple[str, ...], seconds: float) -> Artifact:
        """``folder`` holds what was built; from now on it is found by its key."""
        digest = digest_of(str(folder))
        final = self.root / digest
        if digest_of(str(final)) != digest:
            remove(final)
            folder.rename(final)
        artifact = Artifact(key, digest, final, names, size_of(final), seconds)
        write_atomically(str(self._note(key)), json.dumps(artifact.to_json()).encode())
        return artifact

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for one that is being built; what is left in it goes."""
        folder = Path(tempfile.mkdtemp(dir=self.root, prefix=".build-"))
        try:
            yield folder
        finally:
            remove(folder)

    def prune(self, held: Collection[str], keep: int) -> tuple[str, ...]:
        """Remove what is neither ``held`` by a release nor among the ``keep`` last used; the
        removed digests."""
        notes = sorted(self.root.glob(".*.json"), key=lambda note: -note.stat().st_mtime)
        told = [(note, _digest_in(note)) for note in notes]
        kept = {digest for _, digest in told[:keep]} | set(held)
        removed: dict[str, None] = {}
        for note, digest in told[keep:]:
            if digest not in kept:
                note.unlink(missing_ok=True)
                remove(self.root / digest)
                removed[digest] = None
        return tuple(removed)

    def lock(self, key: str) -> Path:
        """Held by whoever builds for this key."""
        return self.root / f".{key}.lock"

    def _note(self, key: str) -> Path:
        return self.root / f".{key}.json"


def add(artifact: Artifact, files: Path) -> None:
    """Into a release, in the place of what its source has there. Files are links to the artifact's:
    both are only ever read."""
    for name in artifact.names:
        source, target = artifact.folder / name, files / name
        remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, copy_function=_link)
        else:
            _link(str(source), str(target))


def _link(source: str, target: str, *, follow_symlinks: bool = False) -> None:
    os.link(source, target, follow_symlinks=follow_symlinks)


def size_of(folder: Path) -> int:
    """Bytes of all its files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _digest_in(note: Path) -> str:
    try:
        return str(json.loads(note.read_bytes())["artifact"]["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def in_bytes(count: int) -> str:
    """``392 B``, ``41 MB``."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count = round(count / 1000)
    return f"{count} GB"
