"""Who owns which service, in the embedded journal; and what ended rollouts left on hosts.

A lock that is left is kept beside the one of the service, under "SERVICE HOST": names have no
blanks. Numbers of fences only grow. Changes are made in a transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.engine.journal import LockRecord, RolloutRecord
from gapless.engine.sqlite_database import SqliteDatabase
from gapless.engine.sqlite_rows import dumped, loaded_lock


class SqliteLocks:
    """Tables ``locks`` and ``fences``."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._db = database

    def all(self) -> Sequence[LockRecord]:
        """By service."""
        rows = self._db.execute("SELECT record FROM locks ORDER BY service").fetchall()
        return [loaded_lock(text) for (text,) in rows]

    def of(self, service: str) -> LockRecord | None:
        """None: nobody owns it."""
        row = self._db.execute("SELECT record FROM locks WHERE service=?", (service,)).fetchone()
        return None if row is None else loaded_lock(row[0])

    def take(self, service: str, record: RolloutRecord) -> None:
        """For a rollout, with the next number of a fence; it must be free."""
        self._db.execute(
            "INSERT INTO fences VALUES (?,1) ON CONFLICT DO UPDATE SET number=number+1", (service,)
        )
        (fence,) = self._db.execute(
            "SELECT number FROM fences WHERE service=?", (service,)
        ).fetchone()  # fmt: skip
        lock = _lock(service, record, fence)
        self._db.execute("INSERT INTO locks VALUES (?,?)", (service, dumped(lock)))

    def give_back(self, rollout: str) -> None:
        """All that the rollout owns; what it left on hosts stays told."""
        for lock in self.all():
            if lock.rollout == rollout and not lock.host:
                self.drop(lock.service)

    def drop(self, service: str) -> None:
        """Nobody owns it."""
        self._db.execute("DELETE FROM locks WHERE service=?", (service,))

    def leave(self, service: str, host: str, record: RolloutRecord) -> None:
        """The host could not be told that the rollout gives the service back."""
        lock = _lock(service, record, 0, host)
        row = _left_key(service, host), dumped(lock)
        self._db.execute("INSERT OR REPLACE INTO locks VALUES (?,?)", row)

    def forget(self, service: str, host: str) -> None:
        """What was left there."""
        self.drop(_left_key(service, host))


def _lock(service: str, record: RolloutRecord, fence: int, host: str = "") -> LockRecord:
    return LockRecord(
        service, record.id, record.actor, record.controller, record.pid, record.started,
        record.reason, fence, host=host,
    )  # fmt: skip


def _left_key(service: str, host: str) -> str:
    return f"{service} {host}"
