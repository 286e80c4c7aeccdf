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
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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
from gapless.engine.standing import owned
from gapless.errors import JournalError, LockHeld, UsageError
from gapless.events.event import Event
from gapless.plans import Plan, Verb, from_json, to_json

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


class SqliteJournal:
    """The journal in ``folder/journal.db``; liveness by flock on files beside it.

    ``folder`` None keeps everything in memory, for simulations.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._liveness = Liveness(folder)
        try:
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path = folder / "journal.db"
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                target = str(path)
            else:
                target = ":memory:"
            self._db = sqlite3.connect(target, timeout=30.0, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                "the journal cannot be opened",
                where=str(folder),
                evidence=str(error),
                next="check the folder's owner, mode and free space (df, ls -ld)",
            ) from error

    def _prepare(self) -> None:
        if self.folder is not None:
            self._to_wal()
        if self._version() == 0:
            # two first launches at once: the second finds the tables made when it gets the lock
            with self._transaction():
                if self._version() == 0:
                    for statement in _statements(_SCHEMA):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version={USER_VERSION}")
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
        while self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """``durable``: on the disk when this returns, with all that was committed before."""
        try:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalError(
                "the journal cannot be written", where=str(self.folder), evidence=str(error),
                next="free space or mend the disk, then: gapless resume",
            ) from error  # fmt: skip

    # -- rollouts ---------------------------------------------------------------------------

    def open_rollout(self, record: RolloutRecord, plan: Plan, event: Event) -> Event:
        """Store a rollout with its plan; raises LockHeld for a service another one owns."""
        with self._transaction():
            if not record.parent:
                for service in record.services:
                    self._lock(service, record)
            self._db.execute(
                "INSERT INTO rollouts VALUES (?,?,?,?,?,?)",
                (
                    record.id,
                    record.parent,
                    record.state.value,
                    _dump_record(record),
                    json.dumps(to_json(plan)),
                    record.started,
                ),
            )
            return self._append(event)

    def _lock(self, service: str, record: RolloutRecord) -> None:
        row = self._db.execute("SELECT record FROM locks WHERE service=?", (service,)).fetchone()
        if row is not None:
            held = LockRecord(**json.loads(row[0]))
            raise owned(self, held, self._record(held.rollout))
        self._db.execute(
            "INSERT INTO fences VALUES (?,1) ON CONFLICT DO UPDATE SET number=number+1", (service,)
        )
        fence = self._db.execute(
            "SELECT number FROM fences WHERE service=?", (service,)
        ).fetchone()[0]  # fmt: skip
        lock = LockRecord(
            service, record.id, record.actor, record.controller, record.pid, record.started,
            record.reason, fence,
        )  # fmt: skip
        self._db.execute("INSERT INTO locks VALUES (?,?)", (service, json.dumps(_plain(lock))))

    def close_rollout(
        self, rollout: str, state: RolloutState, outcome: str, exit_code: int | None, event: Event
    ) -> Event:
        """Record how it ended (or paused); ENDED gives its services back."""
        with self._transaction():
            record = replace(
                self._record(rollout), state=state, outcome=outcome, exit_code=exit_code,
                ended=event.ts if state is RolloutState.ENDED else 0.0,
            )  # fmt: skip
            self._store(record)
            if state is RolloutState.ENDED:
                self._unlock(rollout)
            ended = self._append(event)
        if state is RolloutState.ENDED:
            self._liveness.forget(rollout)
        return ended

    def _unlock(self, rollout: str) -> None:
        for service, text in self._db.execute("SELECT service, record FROM locks").fetchall():
            lock = json.loads(text)
            if lock["rollout"] == rollout and not lock.get("host"):
                self._db.execute("DELETE FROM locks WHERE service=?", (service,))

    def adopt(self, rollout: str, controller: str, pid: int, event: Event) -> Event:
        """Take an interrupted rollout over; raises LockHeld while its controller lives."""
        with self._transaction():
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
        with self._transaction(durable=durable):
            self._db.execute(
                "INSERT OR REPLACE INTO steps VALUES (?,?,?,?,?,?,?,?)",
                (rollout, key, attempt, StepState.BEGUN.value, json.dumps(dict(before)), "{}",
                 event.ts, 0.0),
            )  # fmt: skip
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
        with self._transaction(durable=False):
            cursor = self._db.execute(
                "UPDATE steps SET state=?, result=?, ended=? WHERE rollout=? AND key=?"
                " AND attempt=?",
                (state.value, json.dumps(dict(result)), event.ts, rollout, key, attempt),
            )
            if cursor.rowcount == 0:
                self._db.execute(
                    "INSERT OR REPLACE INTO steps VALUES (?,?,?,?,?,?,?,?)",
                    (rollout, key, attempt, state.value, "{}", json.dumps(dict(result)),
                     event.ts, event.ts),
                )  # fmt: skip
            done = key.endswith("/outcome") and state is StepState.DONE
            if done and not Verb(self._record(rollout).verb).by_hand:  # that is no replacement
                self._db.execute(
                    "INSERT INTO durations (service, seconds) VALUES (?,?)",
                    (event.service, float(result.get("seconds", 0.0))),
                )
            return self._append(event)

    def steps(self, rollout: str) -> Mapping[str, StepRecord]:
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

    # -- events and requests ----------------------------------------------------------------

    def append(self, event: Event) -> Event:
        """Commit an event of its own."""
        with self._transaction(durable=False):
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
        return [Event.from_json(json.loads(line)).numbered(seq) for seq, line in rows.fetchall()]

    def request(self, rollout: str, signal: str, actor: str, ts: float) -> None:
        """Ask a running rollout for something."""
        with self._transaction():
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
        return [_load_record(text) for (text,) in rows]

    def children(self, rollout: str) -> Sequence[RolloutRecord]:
        """Rollouts that take this one back, oldest first."""
        rows = self._db.execute(
            "SELECT record FROM rollouts WHERE parent=? ORDER BY rowid", (rollout,)
        ).fetchall()
        return [_load_record(text) for (text,) in rows]

    def locks(self) -> Sequence[LockRecord]:
        """Services owned now, and what ended rollouts left on hosts."""
        rows = self._db.execute("SELECT record FROM locks ORDER BY service").fetchall()
        return [self._with_liveness(LockRecord(**json.loads(text))) for (text,) in rows]

    def leave_lock(self, rollout: str, service: str, host: str) -> None:
        """Note that a host could not be told that the rollout gives the service back."""
        record = self._record(rollout)
        lock = LockRecord(
            service, rollout, record.actor, record.controller, record.pid, record.started,
            record.reason, 0, host=host,
        )  # fmt: skip
        with self._transaction(durable=False):
            self._db.execute(
                "INSERT OR REPLACE INTO locks VALUES (?,?)",
                (_left_key(service, host), json.dumps(_plain(lock))),
            )

    def forget_left(self, service: str, host: str) -> None:
        """The host obeys somebody else now."""
        with self._transaction(durable=False):
            self._db.execute("DELETE FROM locks WHERE service=?", (_left_key(service, host),))

    def break_lock(self, service: str, event: Event) -> LockRecord | None:
        """Take the lock away from its owner (audited by the event), and forget what was left."""
        for lock in self.locks():
            if lock.service == service and lock.host:
                self.forget_left(service, lock.host)
        with self._transaction():
            row = self._db.execute(
                "SELECT record FROM locks WHERE service=?", (service,)
            ).fetchone()  # fmt: skip
            if row is None:
                return None
            self._db.execute("DELETE FROM locks WHERE service=?", (service,))
            self._append(event)
            return LockRecord(**json.loads(row[0]))

    def durations(self, service: str, limit: int = 10) -> Sequence[float]:
        """Seconds the last instances of a service took, newest first."""
        rows = self._db.execute(
            "SELECT seconds FROM durations WHERE service=? ORDER BY seq DESC LIMIT ?",
            (service, limit),
        ).fetchall()
        return [seconds for (seconds,) in rows]

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
        return _load_record(row[0])

    def _store(self, record: RolloutRecord) -> None:
        self._db.execute(
            "UPDATE rollouts SET state=?, record=? WHERE id=?",
            (record.state.value, _dump_record(record), record.id),
        )

    def _with_liveness(self, lock: LockRecord) -> LockRecord:
        return replace(lock, live=self.is_alive(lock.rollout))


def _plain(record: RolloutRecord | LockRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _left_key(service: str, host: str) -> str:
    """Beside the lock of the service: names have no blanks."""
    return f"{service} {host}"


def _dump_record(record: RolloutRecord) -> str:
    return json.dumps(_plain(record))


def _load_record(text: str) -> RolloutRecord:
    data = json.loads(text)
    data["services"] = tuple(data["services"])
    data["state"] = RolloutState(data["state"])
    return RolloutRecord(**data)


def _statements(script: str) -> Iterator[str]:
    """Single statements (executescript would commit the open transaction)."""
    buffer = ""
    for part in script.split(";"):
        buffer += part + ";"
        if sqlite3.complete_statement(buffer):
            if buffer.strip(" \n;"):
                yield buffer
            buffer = ""
