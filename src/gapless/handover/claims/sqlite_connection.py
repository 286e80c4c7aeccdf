"""A connection to the file with claims, and what SQLite says in words of the lock."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from gapless.handover.claims.store import Busy, NoAnswer

_TABLE = """
CREATE TABLE IF NOT EXISTS claims (
  ns TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,
  state INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (ns, id)
) WITHOUT ROWID"""
_INDEX = "CREATE INDEX IF NOT EXISTS claims_by_age ON claims (at)"
CLAIM = (
    "INSERT INTO claims (ns, id, owner, state, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_TRY_AGAIN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


class Connection:
    """Knows whether it is still one to the file of that name."""

    def __init__(self, path: Path, sqlite: sqlite3.Connection) -> None:
        self._path, self.sqlite = path, sqlite
        self._file = _identity(path)

    @property
    def is_the_file(self) -> bool:
        """False where the file was removed or replaced."""
        return self._file is not None and _identity(self._path) == self._file


def connected(path: Path, synchronous: str) -> Connection:
    """Makes what is missing. Raises what ``answering`` translates."""
    _create(path)
    sqlite = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for statement in (
            "PRAGMA busy_timeout = 0",
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {synchronous}",
            _TABLE,
            _INDEX,
        ):
            sqlite.execute(statement)
    except BaseException:
        sqlite.close()
        raise
    return Connection(path, sqlite)


def _create(path: Path) -> None:
    """Who may write the folder may write the file: copies run as different accounts."""
    with contextlib.suppress(FileExistsError):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o600 | path.parent.stat().st_mode & 0o666)
        finally:
            os.close(fd)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """What SQLite and the file system say, in words of the lock."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) or 0
        if code & 0xFF in _TRY_AGAIN:
            raise Busy(str(error)) from error
        raise NoAnswer(f"{getattr(error, 'sqlite_errorname', 'sqlite')}: {error}") from error
    except OSError as error:
        raise NoAnswer(f"claims.db: {error.strerror}") from error


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
