"""The embedded journal: one SQLite file in WAL mode, append-only events.

Every commit survives the end of this process at once. What must survive a power cut, too, is
written with synchronous=FULL: a rollout's beginning and end, locks, requests, and the intent of
every critical step, for an intent that a power cut may forget is no intent. All else (looks,
outcomes, events) reaches the disk with the next of these at the latest; forgotten, it would be
asked of the hosts again. ``status`` and ``watch`` open the same file for reading and never hold a
running rollout up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gapless.engine.journal import (
    LockRecord,
    Request,
    RolloutRecord,
    RolloutState,
    StepRecord,
    StepState,
)
from gapless.engine.liveness import Liveness
from gapless.engine.sqlite_database import SqliteDatabase
from gapless.engine.sqlite_locks import SqliteLocks
from gapless.engine.sqlite_rows import dumped, loaded_rollout
from gapless.engine.sqlite_steps import SqliteSteps
from gapless.engine.standing import owned
from gapless.errors import JournalError, LockHeld, UsageError
from gapless.events.event import Event
from gapless.plans import Plan, Verb, from_json, to_json


class SqliteJournal:
    """The journal in ``folder/journal.db``; liveness by flock on files beside it.

    ``folder`` None keeps everything in memory, for simulations.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._liveness = Liveness(folder)
        self._db = SqliteDatabase(folder)
        self._locks = SqliteLocks(self._db)
        self._steps = SqliteSteps(self._db)

    # -- rollouts ---------------------------------------------------------------------------

    def open_rollout(self, record: RolloutRecord, plan: Plan, event: Event) -> Event:
        """Store a rollout with its plan; raises LockHeld for a service another one owns."""
        with self._db.transaction():
            if not record.parent:
                for service in record.services:
                    self._take(service, record)
            self._db.execute(
                "INSERT INTO rollouts VALUES (?,?,?,?,?,?)",
                (
                    record.id,
                    record.parent,
                    record.state.value,
                    dumped(record),
                    json.dumps(to_json(plan)),
                    record.started,
                ),
            )
            return self._append(event)

    def _take(self, service: str, record: RolloutRecord) -> None:
        held = self._locks.of(service)
        if held is not None:
            raise owned(self, held, self._record(held.rollout))
        self._locks.take(service, record)

    def close_rollout(
        self, rollout: str, state: RolloutState, outcome: str, exit_code: int | None, event: Event
    ) -> Event:
        """Record how it ended (or paused); ENDED gives its services back."""
        with self._db.transaction():
            record = replace(
                self._record(rollout), state=state, outcome=outcome, exit_code=exit_code,
                ended=event.ts if state is RolloutState.ENDED else 0.0,
            )  # fmt: skip
            self._store(record)
            if state is RolloutState.ENDED:
                self._locks.give_back(rollout)
            ended = self._append(event)
        if state is RolloutState.ENDED:
            self._liveness.forget(rollout)
        return ended

    def adopt(self, rollout: str, controller: str, pid: int, event: Event) -> Event:
        """Take an interrupted rollout over; raises LockHeld while its controller lives."""
        with self._db.transaction():
            record = self._record(rollout)
            if not self._liveness.is_ours(rollout) and self.is_alive(rollout):
                raise LockHeld(
                    f"rollout {rollout} is being worked on by pid {record.pid}",
                    where=record.controller,
                    next=f"gapless watch {rollout}",
                )
            record = replace(record, controller=controller, pid=pid, outcome="", exit_code=None)
            self._store(replace(record, state=RolloutState.RUNNING))
            return self._append(event)

    # -- liveness ---------------------------------------------------------------------------

    def alive(self, rollout: str) -> AbstractContextManager[None]:
        """Hold the rollout's liveness for the body; raises LockHeld when somebody else does."""
        return self._liveness.hold(rollout)

    def is_alive(self, rollout: str) -> bool:
        """Whether a controller is working on it now."""
        return self._liveness.is_held(rollout)

    # -- steps ------------------------------------------------------------------------------

    def begin(
        self,
        rollout: str,
        key: str,
        attempt: int,
        before: Mapping[str, Any],
        event: Event,
        *,
        durable: bool = True,
    ) -> Event:
        """Commit the intent of a step."""
        with self._db.transaction(durable=durable):
            self._steps.begin(rollout, key, attempt, before, event.ts)
            return self._append(event)

    def finish(
        self,
        rollout: str,
        key: str,
        attempt: int,
        state: StepState,
        result: Mapping[str, Any],
        event: Event,
    ) -> Event:
        """Commit the outcome of a step."""
        with self._db.transaction(durable=False):
            self._steps.finish(rollout, key, attempt, state, result, event.ts)
            done = key.endswith("/outcome") and state is StepState.DONE
            if done and not Verb(self._record(rollout).verb).by_hand:  # that is no replacement
                self._steps.took(event.service, float(result.get("seconds", 0.0)))
            return self._append(event)

    def steps(self, rollout: str) -> Mapping[str, StepRecord]:
        """The newest attempt of every step by key."""
        return self._steps.of(rollout)

    # -- locks -------------------------------------------------------------------------------

    def locks(self) -> Sequence[LockRecord]:
        """Services owned now, and what ended rollouts left on hosts."""
        return [replace(lock, live=self.is_alive(lock.rollout)) for lock in self._locks.all()]

    def leave_lock(self, rollout: str, service: str, host: str) -> None:
        """Note that a host could not be told that the rollout gives the service back."""
        record = self._record(rollout)
        with self._db.transaction(durable=False):
            self._locks.leave(service, host, record)

    def forget_left(self, service: str, host: str) -> None:
        """The host obeys somebody else now."""
        with self._db.transaction(durable=False):
            self._locks.forget(service, host)

    def break_lock(self, service: str, event: Event) -> LockRecord | None:
        """Take the lock away from its owner (audited by the event), and forget what was left."""
        for lock in self._locks.all():
            if lock.service == service and lock.host:
                self.forget_left(service, lock.host)
        with self._db.transaction():
            broken = self._locks.of(service)
            if broken is not None:
                self._locks.drop(service)
                self._append(event)
            return broken

    # -- events and requests ----------------------------------------------------------------

    def append(self, event: Event) -> Event:
        """Commit an event of its own."""
        with self._db.transaction(durable=False):
            return self._append(event)

    def _append(self, event: Event) -> Event:
        cursor = self._db.execute(
            "INSERT INTO events (rollout, line) VALUES (?,?)", (event.rollout, event.to_line())
        )
        return event.numbered(int(cursor.lastrowid or 0))

    def events(
        self, rollout: str | None = None, after: int = 0, limit: int = 10_000
    ) -> Sequence[Event]:
        """Events in order, of one rollout with its children or of all."""
        if rollout is None:
            rows = self._db.execute(
                "SELECT seq, line FROM events WHERE seq>? ORDER BY seq LIMIT ?", (after, limit)
            )
        else:
            rows = self._db.execute(
                "SELECT seq, line FROM events WHERE seq>? AND rollout IN"
                " (SELECT id FROM rollouts WHERE id=? OR parent=?) ORDER BY seq LIMIT ?",
                (after, rollout, rollout, limit),
            )
        return [Event.from_json({**json.loads(line), "seq": seq}) for seq, line in rows.fetchall()]

    def request(self, rollout: str, signal: str, actor: str, ts: float) -> None:
        """Ask a running rollout for something."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO requests (rollout, signal, actor, ts) VALUES (?,?,?,?)",
                (rollout, signal, actor, ts),
            )

    def requests(self, rollout: str, after: int = 0) -> Sequence[Request]:
        """What was asked since."""
        rows = self._db.execute(
            "SELECT seq, rollout, signal, actor, ts FROM requests WHERE rollout=? AND seq>?"
            " ORDER BY seq",
            (rollout, after),
        ).fetchall()
        return [Request(*row) for row in rows]

    # -- reading ----------------------------------------------------------------------------

    def load(self, rollout: str) -> tuple[RolloutRecord, Plan]:
        """A rollout and its plan; raises UsageError when unknown, JournalError when of a newer
        schema."""
        record = self._record(rollout)
        row = self._db.execute("SELECT plan FROM rollouts WHERE id=?", (rollout,)).fetchone()
        try:
            return record, from_json(json.loads(row[0]))
        except ValueError as error:
            raise JournalError(
                f"the plan of {rollout} cannot be read", evidence=str(error),
                next="finish it with the gapless version that began it",
            ) from error  # fmt: skip

    def rollouts(self, limit: int = 50, *, unfinished: bool = False) -> Sequence[RolloutRecord]:
        """Newest first."""
        where = "WHERE state != 'ended'" if unfinished else ""
        rows = self._db.execute(
            f"SELECT record FROM rollouts {where} ORDER BY rowid DESC LIMIT ?",  # noqa: S608
            (limit,),
        ).fetchall()
        return [loaded_rollout(text) for (text,) in rows]

    def children(self, rollout: str) -> Sequence[RolloutRecord]:
        """Rollouts that take this one back, oldest first."""
        rows = self._db.execute(
            "SELECT record FROM rollouts WHERE parent=? ORDER BY rowid", (rollout,)
        ).fetchall()
        return [loaded_rollout(text) for (text,) in rows]

    def durations(self, service: str, limit: int = 10) -> Sequence[float]:
        """Seconds the last instances of a service took, newest first."""
        return self._steps.durations(service, limit)

    def close(self) -> None:
        """Close the store."""
        self._db.close()

    # -- rows -------------------------------------------------------------------------------

    def _record(self, rollout: str) -> RolloutRecord:
        row = self._db.execute("SELECT record FROM rollouts WHERE id=?", (rollout,)).fetchone()
        if row is None:
            known = [id_ for (id_,) in self._db.execute("SELECT id FROM rollouts")]
            close = get_close_matches(rollout, known, n=1)
            hint = f" — did you mean '{close[0]}'?" if close else ""
            raise UsageError(f"there is no rollout {rollout}{hint}", next="gapless history")
        return loaded_rollout(row[0])

    def _store(self, record: RolloutRecord) -> None:
        self._db.execute(
            "UPDATE rollouts SET state=?, record=? WHERE id=?",
            (record.state.value, dumped(record), record.id),
        )
