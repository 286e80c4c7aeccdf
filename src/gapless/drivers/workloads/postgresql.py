"""A client of PostgreSQL: rows of a table of its own, one transaction each, on the primary.

1. One connection, to whichever member takes writes: libpq tries all addresses. After an error, and
   after silence, it is given up, and the next attempt connects anew.
2. Reads go to the primary, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gapless.drivers.workloads.login import Login
from gapless.errors import UsageError
from gapless.prove.workload import NotDone

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_WAIT = 2
"""Seconds for each address; the least that libpq knows."""


def need_psycopg(service: str) -> None:
    """Raises UsageError where the library is not installed."""
    try:
        import psycopg  # noqa: F401 - an extra
    except ImportError:
        raise UsageError(
            "--prove needs psycopg to be a client of PostgreSQL, and it is not installed",
            where=service,
            next="pip install 'gapless[postgresql]'",
        ) from None


class PostgresqlWorkload:
    """See ``Workload``. ``table`` is an identifier that needs no quotes."""

    kind = "patroni"
    removes = True

    def __init__(self, addresses: Sequence[str], login: Login, database: str, table: str) -> None:
        self._addresses = deque(addresses)
        self._login = login
        self._database = database
        self._table = table
        self._connection: AsyncConnection[Any] | None = None
        self._connecting = asyncio.Lock()

    @property
    def place(self) -> str:
        """Its table."""
        return f"DROP TABLE {self._table} in {self._database}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return ", ".join(sorted(self._addresses))

    async def prepare(self) -> None:
        """The table; harmless where it is there."""
        columns = "number bigint PRIMARY KEY, value text NOT NULL"
        await self._done(f"CREATE TABLE IF NOT EXISTS {self._table} ({columns})")

    async def write(self, number: int, value: str) -> None:
        """Committed."""
        statement = (
            f"INSERT INTO {self._table} VALUES (%s, %s)"  # noqa: S608 - a name of our own
            " ON CONFLICT (number) DO UPDATE SET value = EXCLUDED.value"
        )
        await self._done(statement, (number, value))

    async def read(self, number: int) -> str | None:
        """As the primary has it."""
        statement = f"SELECT value FROM {self._table} WHERE number = %s"  # noqa: S608 - our own
        try:
            rows = await self._done(statement, (number,))
        except _NoTableError:
            return None
        return str(rows[0][0]) if rows else None

    async def clear(self) -> None:
        """The table."""
        await self._done(f"DROP TABLE IF EXISTS {self._table}")

    async def close(self) -> None:
        """The connection is closed."""
        self._give_up(self._connection)

    async def _done(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Its rows. Raises NotDone."""
        import psycopg

        connection = None
        try:
            connection = await self._connected()
            return await _executed(connection, statement, values)
        except psycopg.errors.UndefinedTable:
            raise _NoTableError("the table is not there") from None
        except psycopg.Error as error:
            self._give_up(connection)
            raise NotDone(_words(error)) from None
        except BaseException:  # cancelled: it was silent for too long
            self._give_up(connection)
            raise

    async def _connected(self) -> AsyncConnection[Any]:
        from psycopg import AsyncConnection

        async with self._connecting:
            if self._connection is None or self._connection.closed:
                words = await self._login.words()
                self._addresses.rotate(-1)  # a silent one does not come first twice
                pairs = [address.rpartition(":") for address in self._addresses]
                self._connection = await AsyncConnection.connect(
                    host=",".join(host.strip("[]") for host, _, _ in pairs),
                    port=",".join(port for _, _, port in pairs),
                    dbname=self._database,
                    user=self._login.user or None,
                    password=words[-1] if words else None,
                    target_session_attrs="read-write",
                    connect_timeout=_WAIT,
                    application_name="gapless-prove",
                    autocommit=True,
                )
            return self._connection

    def _give_up(self, connection: AsyncConnection[Any] | None) -> None:
        """The socket is closed at once: the server may be silent for ever."""
        if connection is not None:
            connection.pgconn.finish()
            if self._connection is connection:
                self._connection = None


class _NoTableError(NotDone):
    """The table is gone."""


async def _executed(
    connection: AsyncConnection[Any], statement: str, values: Sequence[Any]
) -> list[Any]:
    """Whoever is cancelled does not wait for the server, as psycopg itself would."""
    work = asyncio.ensure_future(_rows(connection, statement, values))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        connection.pgconn.finish()
        work.cancel()
        raise


async def _rows(
    connection: AsyncConnection[Any], statement: str, values: Sequence[Any]
) -> list[Any]:
    cursor = await connection.execute(statement.encode(), values or None)
    return await cursor.fetchall() if cursor.description else []


def _words(error: Exception) -> str:
    """Its first line; what libpq says of each address is in one each."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines))[:300] or type(error).__name__
