"""The secret with which this controller marks configuration: made once, readable to nobody else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gapless.drivers.config_files.marks import Marks
from gapless.engine.state_home import state_home
from gapless.errors import JournalError

_BYTES = 32


def config_marks() -> Marks:
    """With the key of this controller, for all its projects. Raises JournalError."""
    path = state_home() / "config.key"
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise JournalError(
            f"the key for marks of configuration cannot be read: {error.strerror}", where=str(path)
        ) from error
    if len(key) != _BYTES:
        raise JournalError("the key for marks of configuration is damaged", where=str(path))
    return Marks(key)


def _make(path: Path) -> None:
    """Whole or not at all; of two that make it at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_BYTES))
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
