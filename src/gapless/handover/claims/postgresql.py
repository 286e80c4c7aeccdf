"""Claims in a table of PostgreSQL. The server knows who lives: owners hold an advisory lock."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, LiteralString
from urllib.parse import urlsplit

from gapless.handover.claims.postgresql_transaction import (
    CLAIM,
    AsyncPostgresqlTransaction,
    ForOne,
    PostgresqlTransaction,
    now_ms,
)
from gapless.handover.claims.store import LOST, WON, Answer, Busy, NoAnswer

_SETUP: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS gapless_claims (
  ns text NOT NULL, id text NOT NULL, owner text NOT NULL,
  state integer NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (ns, id))""",
    "CREATE INDEX IF NOT EXISTS gapless_claims_by_age ON gapless_claims (at)",
)
_TAKE: LiteralString = """UPDATE gapless_claims SET owner = %s, at = %s
  WHERE ns = %s AND id = %s AND owner = %s AND state = 0"""
_SWEEP: LiteralString = """DELETE FROM gapless_claims WHERE (ns, id) IN
  (SELECT ns, id FROM gapless_claims WHERE at < %s AND ns = %s ORDER BY at LIMIT 1000)"""
_LIVE: LiteralString = "SELECT pg_try_advisory_lock(hashtext('gapless:' || %s), hashtext(%s))"
# let go at the end of the statement
_DEAD: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtext('gapless:' || %s), hashtext(%s))"

_CONNECT_S = 2
_CLAIM_OPTIONS = "-c statement_timeout=1000 -c lock_timeout=1000"
_TRANSACTION_OPTIONS = "-c lock_timeout=10000"


class PostgresqlStore:
    """One for each process, with one session for claims."""

    remote = True

    def __init__(self, url: str, namespace: str, owner: str) -> None:
        """Raises ImportError without the package ``psycopg``, ValueError for a url that is none."""
        import psycopg

        self._psycopg = psycopg
        try:
            psycopg.conninfo.conninfo_to_dict(url)
            # which it looks at when it connects
            _ = urlsplit(url).port
        except (psycopg.Error, ValueError) as error:
            raise ValueError("is no url of PostgreSQL") from error
        self.horizon_ms = 900_000
        self._url, self._namespace, self._owner = url, namespace, owner
        self._one_at_a_time = threading.Lock()
        self._connection: Any = None
        self._idle: list[Any] = []
        self._async_idle: list[Any] = []

    def open(self) -> None:
        """Connects, and makes the table where it is missing."""
        with self._one_at_a_time, self._claims():
            pass

    def claim(self, event_id: str, *, done: bool) -> Answer:
        """As the store says."""
        row = (self._namespace, event_id, self._owner, int(done), now_ms())
        with self._one_at_a_time, self._claims() as claims:
            if claims.execute(CLAIM, row).rowcount == 1:
                return WON
            return self._holder(claims, event_id)

    def _holder(self, claims: Any, event_id: str) -> Answer:
        found = claims.execute(
            "SELECT owner, state FROM gapless_claims WHERE ns = %s AND id = %s",
            (self._namespace, event_id),
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
            claims.execute(
                "UPDATE gapless_claims SET state = 1 WHERE ns = %s AND id = %s AND owner = %s",
                (self._namespace, event_id, self._owner),
            )

    def is_alive(self, owner: str) -> bool:
        """Whether this process lives."""
        if owner == self._owner:
            return True
        with self._one_at_a_time, self._claims() as claims:
            return not claims.execute(_DEAD, (self._namespace, owner)).fetchone()[0]

    def sweep(self) -> int:
        """At most 1,000 that are older than the horizon."""
        before = now_ms() - self.horizon_ms
        with self._one_at_a_time, self._claims() as claims:
            return int(claims.execute(_SWEEP, (before, self._namespace)).rowcount)

    def begin(self) -> PostgresqlTransaction:
        """A session of its own; a rival's claim of the same event waits for its end."""
        self.open()
        with self._answering():
            return PostgresqlTransaction(self._session(), self._for_one(self._idle))

    def _session(self) -> Any:
        while self._idle:
            with contextlib.suppress(self._psycopg.Error):
                idle = self._idle.pop()
                # the server may have gone since
                idle.execute("SELECT 1")
                return idle
        return self._psycopg.connect(
            self._url, connect_timeout=_CONNECT_S, options=_TRANSACTION_OPTIONS
        )

    async def begin_async(self) -> AsyncPostgresqlTransaction:
        """The same for a handler that is a coroutine function."""
        await asyncio.to_thread(self.open)
        with self._answering():
            session = await self._async_session()
            return AsyncPostgresqlTransaction(session, self._for_one(self._async_idle))

    async def _async_session(self) -> Any:
        while self._async_idle:
            with contextlib.suppress(self._psycopg.Error):
                idle = self._async_idle.pop()
                await idle.execute("SELECT 1")
                return idle
        return await self._psycopg.AsyncConnection.connect(
            self._url, connect_timeout=_CONNECT_S, options=_TRANSACTION_OPTIONS
        )

    def _for_one(self, idle: list[Any]) -> ForOne:
        return ForOne(self._namespace, self._owner, self._answering, idle)

    def close(self) -> None:
        """Nothing is claimed any more."""
        with self._one_at_a_time:
            self._give_up()
        for idle in (*self._idle, *self._async_idle):
            # at once, in whatever thread or loop
            idle.pgconn.finish()

    @contextlib.contextmanager
    def _claims(self) -> Iterator[Any]:
        try:
            with self._answering():
                if self._connection is None:
                    self._connection = self._connected()
                yield self._connection
        except NoAnswer:
            if self._connection is not None and self._connection.closed:
                self._connection = None
            raise

    def _connected(self) -> Any:
        connection = self._psycopg.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_S, options=_CLAIM_OPTIONS
        )
        try:
            self._set_up(connection)
            locked = connection.execute(_LIVE, (self._namespace, self._owner)).fetchone()
            if locked != (True,):
                # an earlier connection of ours that the server has not noticed the end of
                raise Busy("the lock of this owner is held by another session")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: Any) -> None:
        try:
            for statement in _SETUP:
                connection.execute(statement)
        except (self._psycopg.errors.UniqueViolation, self._psycopg.errors.DuplicateTable) as error:
            raise Busy("another copy creates the table") from error

    def _give_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(self._psycopg.Error):
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise NoAnswer(f"postgresql: {first}") from error
