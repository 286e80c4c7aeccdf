"""File locks: held by a process, and gone with it however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Lock `path` and return the descriptor that holds the lock, or None if another holds it."""
    return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock on `path`, waiting for it as long as it takes; gives its descriptor."""
    held = _lock(path, fcntl.LOCK_EX)
    assert held is not None
    try:
        yield held
    finally:
        os.close(held)


def _lock(path: Path, how: int) -> int | None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
