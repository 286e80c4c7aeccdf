"""The file of the embedded journal: its tables, and how changes reach the disk."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gapless.errors import JournalError

USER_VERSION = 1

OPEN_WITHIN = 10.0
"""Seconds another process may take to make the file."""

_SCHEMA = """
CREATE TABLE rollouts (
  id TEXT PRIMARY KEY, parent TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL,
  plan TEXT NOT NULL, started REAL NOT NULL);
CREATE TABLE steps (
  rollout TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL,
  before TEXT NOT NULL, result TEXT NOT NULL, begun REAL NOT NULL, ended REAL NOT NULL,
  PRIMARY KEY (rollout, key));
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, line TEXT NOT NULL);
CREATE INDEX events_by_rollout ON events (rollout, seq);
CREATE TABLE requests (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, signal TEXT NOT NULL,
  actor TEXT NOT NULL, ts REAL NOT NULL);
CREATE TABLE locks (service TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE fences (service TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE durations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, seconds REAL NOT NULL);
CREATE INDEX durations_by_service ON durations (service, seq);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


class SqliteDatabase:
    """``folder/journal.db`` in WAL mode; ``folder`` None keeps everything in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        try:
            self.connection = sqlite3.connect(_made(folder), timeout=30.0, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                "the journal cannot be opened",
                where=str(folder),
                evidence=str(error),
                next="check the folder's owner, mode and free space (df, ls -ld)",
            ) from error

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """One statement, with a value for each question mark."""
        return self.connection.execute(statement, values)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """``durable``: on the disk when this returns, with all that was committed before."""
        try:
            self.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalError(
                "the journal cannot be written", where=str(self.folder), evidence=str(error),
                next="free space or mend the disk, then: gapless resume",
            ) from error  # fmt: skip

    def close(self) -> None:
        """Nothing is read or written any more."""
        self.connection.close()

    def _prepare(self) -> None:
        if self.folder is not None:
            self._to_wal()
        if self._version() == 0:
            # two first launches at once: the second finds the tables made when it gets the lock
            with self.transaction():
                if self._version() == 0:
                    for statement in _statements(_SCHEMA):
                        self.execute(statement)
                    self.execute(f"PRAGMA user_version={USER_VERSION}")
        if self._version() > USER_VERSION:
            raise JournalError(
                f"the journal has schema {self._version()}, this gapless reads {USER_VERSION}",
                where=str(self.folder),
                next="use the gapless version that wrote it",
            )

    def _to_wal(self) -> None:
        """Two first launches at once: this pragma answers "locked" at once, whatever the busy
        timeout says, so it is asked again until the other one is through."""
        deadline = time.monotonic() + OPEN_WITHIN
        while self.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _version(self) -> int:
        return int(self.execute("PRAGMA user_version").fetchone()[0])


def _made(folder: Path | None) -> str:
    """What to connect to, for nobody but its owner."""
    if folder is None:
        return ":memory:"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "journal.db"
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return str(path)


def _statements(script: str) -> Iterator[str]:
    """Single statements (executescript would commit the open transaction)."""
    buffer = ""
    for part in script.split(";"):
        buffer += part + ";"
        if sqlite3.complete_statement(buffer):
            if buffer.strip(" \n;"):
                yield buffer
            buffer = ""
