"""A transaction that holds claim and effect."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gapless.handover.claims.sqlite_connection import CLAIM, Connection, answering, now_ms


class SqliteTransaction:
    """Has a connection of its own until its end."""

    def __init__(
        self, own: Connection, namespace: str, owner: str, ended: Callable[[Connection], None]
    ) -> None:
        self._own, self._namespace, self._owner, self._ended = own, namespace, owner, ended

    @property
    def connection(self) -> sqlite3.Connection:
        """What the handler writes with."""
        return self._own.sqlite

    def claim(self, event_id: str) -> bool:
        """As the store says."""
        row = (self._namespace, event_id, self._owner, 1, now_ms())
        with answering():
            return self._own.sqlite.execute(CLAIM, row).rowcount == 1

    def commit(self) -> None:
        """Claim and effect are there, or neither."""
        with answering():
            self._own.sqlite.execute("COMMIT")
        self._ended(self._own)

    def rollback(self) -> None:
        """As if nothing had been."""
        try:
            if self._own.sqlite.in_transaction:
                self._own.sqlite.execute("ROLLBACK")
        except sqlite3.Error:
            # closing rolls back, too
            self._own.sqlite.close()
        else:
            self._ended(self._own)
