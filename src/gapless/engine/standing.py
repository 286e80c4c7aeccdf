"""Where a rollout really stands: what its record says, seen together with who works on it; and
what a person can do about it, told in the same words everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from gapless.engine.journal import (
    Journal,
    LockRecord,
    RolloutRecord,
    RolloutState,
    every_event,
    lock_held,
)
from gapless.errors import LockHeld

_PAUSES = ("rollout.paused", "rollout.resumed", "approval.requested", "approval.granted")
_STANDS: Mapping[str, str] = {
    RolloutState.RUNNING: "is at work",
    RolloutState.PAUSED: "is paused",
    RolloutState.INTERRUPTED: "was interrupted and has not been finished",
    RolloutState.ENDED: "has ended and did not give it back",
}


class Stands(Protocol):
    """A rollout that is not over. ``outcome`` "paused": a failure waits for a person's judgement;
    else somebody asked for the pause."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def state(self) -> str:
        """running, paused, interrupted."""
        ...

    @property
    def environment(self) -> str:
        """Of which environment; "" for that of a project without."""
        ...

    @property
    def outcome(self) -> str:
        """What was last recorded of it."""
        ...


def standing(journal: Journal, row: RolloutRecord) -> RolloutRecord:
    """Running without a controller is interrupted; with one that was told to pause, or that asks
    a person at its terminal, paused. What paused for evidence has failed nowhere."""
    if row.state is RolloutState.PAUSED and row.outcome == "paused" and _held(journal, row.id):
        return replace(row, outcome="")
    if row.state is not RolloutState.RUNNING:
        return row
    if not journal.is_alive(row.id):
        return replace(row, state=RolloutState.INTERRUPTED)
    told = [event.type for event in every_event(journal, row.id) if event.type in _PAUSES]
    if told[-1:] == ["approval.requested"]:
        return replace(row, state=RolloutState.PAUSED, outcome="paused")
    paused = told[-1:] == ["rollout.paused"]
    return replace(row, state=RolloutState.PAUSED, outcome="") if paused else row


def _held(journal: Journal, rollout: str) -> bool:
    """Whether its last pause waits for a person's judgement of evidence: ``resume`` is the word."""
    pauses = [e for e in every_event(journal, rollout) if e.type == "rollout.paused"]
    return bool(pauses) and bool(pauses[-1].data.get("held"))


def ways_on(row: Stands) -> str:
    """The commands that are right for a rollout that is not over."""
    where = f"-e {row.environment} " if row.environment else ""
    if row.state == RolloutState.RUNNING:
        return f"gapless watch {where}{row.id}"
    on = "promote" if row.state == RolloutState.PAUSED and row.outcome == "paused" else "resume"
    return f"gapless {on} {where}{row.id}   or   gapless abort {where}{row.id}"


def owned(journal: Journal, lock: LockRecord, owner: RolloutRecord) -> LockHeld:
    """The refusal for somebody who wants the service, too."""
    stands = standing(journal, owner)
    return lock_held(lock, _STANDS[stands.state], ways_on(stands))


def refuse_owned(journal: Journal, services: Collection[str | None]) -> None:
    """Raises LockHeld where an unfinished rollout owns one of them."""
    for lock in journal.locks():
        if lock.service in services and not lock.host:
            raise owned(journal, lock, journal.load(lock.rollout)[0])
