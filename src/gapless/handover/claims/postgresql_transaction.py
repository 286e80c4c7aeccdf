"""A transaction that holds claim and effect, for handlers in threads and for coroutine functions.

Each has a session of its own. One that ended well is kept for the next; closing it is as good as
rolling back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

CLAIM: LiteralString = """INSERT INTO gapless_claims (ns, id, owner, state, at)
  VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""

_MOST_IDLE = 8


@dataclass(frozen=True)
class ForOne:
    """Whose claims these are, and where sessions are kept that are not needed now."""

    namespace: str
    owner: str
    answering: Callable[[], contextlib.AbstractContextManager[None]]
    idle: list[Any]

    def row(self, event_id: str) -> tuple[Any, ...]:
        """A claim that is done as soon as it is committed."""
        return (self.namespace, event_id, self.owner, 1, now_ms())

    def keeps(self, session: Any) -> bool:
        """Whether it was kept; else it is to be closed."""
        if session.closed or len(self.idle) >= _MOST_IDLE:
            return False
        self.idle.append(session)
        return True


class PostgresqlTransaction:
    """For handlers in threads."""

    def __init__(self, connection: Any, own: ForOne) -> None:
        self.connection, self._own = connection, own

    def claim(self, event_id: str) -> bool:
        """Waits for a rival's transaction."""
        with self._own.answering():
            return bool(self.connection.execute(CLAIM, self._own.row(event_id)).rowcount == 1)

    def commit(self) -> None:
        """Claim and effect are there, or neither."""
        with self._own.answering():
            self.connection.commit()
        if not self._own.keeps(self.connection):
            self.connection.close()

    def rollback(self) -> None:
        """As if nothing had been."""
        self.connection.close()


class AsyncPostgresqlTransaction:
    """For coroutine functions."""

    def __init__(self, connection: Any, own: ForOne) -> None:
        self.connection, self._own = connection, own

    async def claim(self, event_id: str) -> bool:
        """Waits for a rival's transaction."""
        with self._own.answering():
            claimed = await self.connection.execute(CLAIM, self._own.row(event_id))
            return bool(claimed.rowcount == 1)

    async def commit(self) -> None:
        """Claim and effect are there, or neither."""
        with self._own.answering():
            await self.connection.commit()
        if not self._own.keeps(self.connection):
            await self.connection.close()

    async def rollback(self) -> None:
        """As if nothing had been."""
        await self.connection.close()


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
