"""Claims in an SQLite file that all copies on a host can write.

1. One connection for claims, each claim one statement of its own. Nothing waits inside SQLite: a
   busy answer is tried again outside, so that nobody is starved.
2. A connection that failed is given up, and the next claim opens another one.
3. So is a connection to a file that was removed or replaced: two files would be two truths.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from gapless.handover.claims.sqlite_connection import (
    CLAIM,
    Connection,
    answering,
    connected,
    now_ms,
)
from gapless.handover.claims.sqlite_transaction import SqliteTransaction
from gapless.handover.claims.store import LOST, WON, Answer, Busy, NoAnswer

_TAKE = "UPDATE claims SET owner = ?, at = ? WHERE ns = ? AND id = ? AND owner = ? AND state = 0"
_FINISH = "UPDATE claims SET state = 1 WHERE ns = ? AND id = ? AND owner = ?"
_SWEEP = """DELETE FROM claims WHERE (ns, id) IN
  (SELECT ns, id FROM claims WHERE at < ? AND ns = ? ORDER BY at LIMIT 1000)"""


class SqliteStore:
    """One for each process."""

    remote = False

    def __init__(
        self,
        path: Path,
        namespace: str,
        owner: str,
        is_alive: Callable[[str], bool],
        synchronous: str,
    ) -> None:
        self.horizon_ms = 900_000
        self._path, self._namespace, self._owner = path, namespace, owner
        self._is_alive, self._synchronous = is_alive, synchronous
        self._one_at_a_time = threading.Lock()
        self._connection: Connection | None = None
        self._idle: list[Connection] = []

    def open(self) -> None:
        """Makes the file where it is missing."""
        with self._one_at_a_time, self._claims():
            pass

    def claim(self, event_id: str, *, done: bool) -> Answer:
        """As the store says."""
        row = (self._namespace, event_id, self._owner, int(done), now_ms())
        with self._one_at_a_time, self._claims() as claims:
            if claims.execute(CLAIM, row).rowcount == 1:
                return WON
            return self._holder(claims, event_id)

    def _holder(self, claims: sqlite3.Connection, event_id: str) -> Answer:
        found = claims.execute(
            "SELECT owner, state FROM claims WHERE ns = ? AND id = ?", (self._namespace, event_id)
        ).fetchone()
        if found is None:
            raise Busy("a claim was swept away while it was looked at")
        return LOST if found[1] else Answer(won=False, pending_of=found[0])

    def take_over(self, event_id: str, dead: str) -> Answer:
        """Compares and sets in one: of two that try, one wins."""
        row = (self._owner, now_ms(), self._namespace, event_id, dead)
        with self._one_at_a_time, self._claims() as claims:
            if claims.execute(_TAKE, row).rowcount == 1:
                return WON
            return self._holder(claims, event_id)

    def finish(self, event_id: str) -> None:
        """Marks the own claim as done."""
        with self._one_at_a_time, self._claims() as claims:
            claims.execute(_FINISH, (self._namespace, event_id, self._owner))

    def is_alive(self, owner: str) -> bool:
        """Whether this process lives."""
        return self._is_alive(owner)

    def sweep(self) -> int:
        """At most 1,000 that are older than the horizon."""
        before = now_ms() - self.horizon_ms
        with self._one_at_a_time, self._claims() as claims:
            return claims.execute(_SWEEP, (before, self._namespace)).rowcount

    def begin(self) -> SqliteTransaction:
        """One that the handler writes to as well: of all copies, one has it at a time."""
        with answering():
            connection = self._spare()
        try:
            with answering():
                connection.sqlite.execute("BEGIN IMMEDIATE")
        except Busy:
            self._keep(connection)
            raise
        except BaseException:
            connection.sqlite.close()
            raise
        return SqliteTransaction(connection, self._namespace, self._owner, self._keep)

    def close(self) -> None:
        """Nothing is claimed any more."""
        with self._one_at_a_time:
            self._give_up()
            while self._idle:
                self._idle.pop().sqlite.close()

    def _keep(self, connection: Connection) -> None:
        with self._one_at_a_time:
            self._idle.append(connection)

    def _spare(self) -> Connection:
        with self._one_at_a_time:
            while self._idle:
                spare = self._idle.pop()
                if spare.is_the_file:
                    return spare
                spare.sqlite.close()
        return connected(self._path, self._synchronous)

    @contextlib.contextmanager
    def _claims(self) -> Iterator[sqlite3.Connection]:
        try:
            with answering():
                if self._connection is not None and not self._connection.is_the_file:
                    self._give_up()
                if self._connection is None:
                    self._connection = connected(self._path, self._synchronous)
                yield self._connection.sqlite
        except NoAnswer:
            self._give_up()
            raise

    def _give_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.sqlite.close()
            self._connection = None
