"""What a release has on the machine gapless runs on: a private folder, and a way to a host that
builds."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gapless.clock import LoopClock
from gapless.drivers.transports.base import Transport
from gapless.errors import Refused

_TRY_EVERY = 0.1
_QUICK = 3


@dataclass(frozen=True, slots=True)
class Workshop:
    """``folder`` is for releases of all projects; ``connect`` makes a new connection to a host."""

    folder: Path
    connect: Callable[[str], Transport]

    def place(self, *parts: str) -> Path:
        """A folder in it, made when it is not there; only its owner can look inside."""
        path = self.folder
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in parts:
            path = path / part
            path.mkdir(exist_ok=True, mode=0o700)
        return path


def short_hash(*words: str) -> str:
    """A name for what these words say together."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


@contextlib.asynccontextmanager
async def locked(
    file: Path, limit: float, waiting: Callable[[str], None] = lambda _: None
) -> AsyncIterator[None]:
    """Hold the lock of ``file``; the kernel gives it back when we die. ``waiting`` is called once
    with who holds it when that takes a moment; Refused after ``limit`` seconds."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take(handle, file, limit, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(handle)


async def _take(handle: int, file: Path, limit: float, waiting: Callable[[str], None]) -> None:
    clock, tries = LoopClock(), 0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(handle, 64, 0).decode(errors="replace") or "somebody"
        tries += 1
        if tries == _QUICK:
            waiting(holder)
        if tries * _TRY_EVERY > limit:
            raise Refused(
                f"{holder} has held {file.name} for more than {limit:g} s",
                where=str(file),
                next=f"fuser -v {file}",
            )
        await clock.sleep(_TRY_EVERY)


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """What goes wrong with files of this machine, said as such: nothing was changed anywhere."""
    try:
        yield
    except OSError as error:
        raise Refused(
            f"the release cannot be made on this machine: {error.strerror or error}",
            where=str(error.filename or folder),
            next=f"df -h {folder}",
        ) from error
