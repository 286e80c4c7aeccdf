"""Steps in the embedded journal, and how long replacements took. Changes are made in a transaction
of the caller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gapless.engine.journal import StepRecord, StepState
from gapless.engine.sqlite_database import SqliteDatabase


class SqliteSteps:
    """Tables ``steps`` and ``durations``."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._db = database

    def begin(
        self, rollout: str, key: str, attempt: int, before: Mapping[str, Any], ts: float
    ) -> None:
        """The intent, in the place of an older attempt."""
        self._put(rollout, key, attempt, StepState.BEGUN, before, {}, ts, 0.0)

    def finish(
        self,
        rollout: str,
        key: str,
        attempt: int,
        state: StepState,
        result: Mapping[str, Any],
        ts: float,
    ) -> None:
        """The outcome of an attempt; one without an intent is over as it begins."""
        cursor = self._db.execute(
            "UPDATE steps SET state=?, result=?, ended=? WHERE rollout=? AND key=? AND attempt=?",
            (state.value, json.dumps(dict(result)), ts, rollout, key, attempt),
        )
        if cursor.rowcount == 0:
            self._put(rollout, key, attempt, state, {}, result, ts, ts)

    def of(self, rollout: str) -> Mapping[str, StepRecord]:
        """The newest attempt of every step by key."""
        rows = self._db.execute(
            "SELECT key, attempt, state, before, result, begun, ended FROM steps WHERE rollout=?",
            (rollout,),
        ).fetchall()
        return {
            key: StepRecord(
                key, attempt, StepState(state), json.loads(before), json.loads(result), begun, ended
            )
            for key, attempt, state, before, result, begun, ended in rows
        }

    def took(self, service: str, seconds: float) -> None:
        """An instance was replaced."""
        self._db.execute(
            "INSERT INTO durations (service, seconds) VALUES (?,?)", (service, seconds)
        )

    def durations(self, service: str, limit: int) -> Sequence[float]:
        """Newest first."""
        rows = self._db.execute(
            "SELECT seconds FROM durations WHERE service=? ORDER BY seq DESC LIMIT ?",
            (service, limit),
        ).fetchall()
        return [seconds for (seconds,) in rows]

    def _put(
        self,
        rollout: str,
        key: str,
        attempt: int,
        state: StepState,
        before: Mapping[str, Any],
        result: Mapping[str, Any],
        begun: float,
        ended: float,
    ) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO steps VALUES (?,?,?,?,?,?,?,?)",
            (rollout, key, attempt, state.value, json.dumps(dict(before)),
             json.dumps(dict(result)), begun, ended),
        )  # fmt: skip
