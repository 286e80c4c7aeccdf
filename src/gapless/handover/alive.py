"""Locks that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path

_held: weakref.WeakSet[Flock] = weakref.WeakSet()


class Flock:
    """One file that at most one process has locked. No program started here has its descriptor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held = False
        self._fd: int | None = None
        self.existed = False
        """Whether the file was there when this process came; known after the first try."""

    def try_lock(self) -> bool:
        """Raises OSError where the file cannot be opened."""
        if self.held:
            return True
        if self._fd is None:
            self._fd, self.existed = _opened(self.path, os.O_RDONLY)
            _held.add(self)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def say(self, line: str) -> None:
        """Writes the first line of the file, which the holder alone may. Raises OSError."""
        fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, 0)
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)

    def release(self) -> None:
        """Lets it go; the file stays."""
        self.held = False
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None


def _opened(path: Path, flags: int) -> tuple[int, bool]:
    """The descriptor, and whether the file was there. ``O_CREAT`` alone is refused by the kernel
    for files of another account in a folder like /dev/shm."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, flags | os.O_CLOEXEC), True
        with contextlib.suppress(FileExistsError):
            created = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(path, flags | created, 0o666), False


def _forget_in_child() -> None:
    # a forked child would keep the lock of a parent that is dead
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)


def life_file(folder: Path, name: str) -> Path:
    """Where the copy of this name says that it lives."""
    return folder / f"alive-{name}.lock"


def lock_life(folder: Path, name: str, owner: str, patience: float = 10.0) -> Flock | None:
    """Says that ``owner`` is the living copy ``name``; None when another process of that name lives
    on for ``patience`` seconds. Raises OSError."""
    lock = Flock(life_file(folder, name))
    ends = time.monotonic() + patience
    while not lock.try_lock():
        if time.monotonic() > ends:
            lock.release()
            return None
        time.sleep(0.01)
    lock.say(owner)
    return lock


def is_alive(folder: Path, owner: str) -> bool:
    """Whether the process that calls itself ``owner`` (``ID:EPOCH:PID:RANDOM``) lives.

    Raises OSError where that cannot be found out."""
    path = life_file(folder, owner.partition(":")[0])
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            first = os.pread(fd, 256, 0).partition(b"\n")[0].decode(errors="replace")
            # between locking and writing its holder has not said who it is
            return first == owner
        return False
    finally:
        os.close(fd)
