"""Where a rollout really stands: what its record says, seen together with who works on it; and
what a person can do about it, told in the same words everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from gapless.engine.journal import Journal, RolloutRecord, RolloutState, every_event

_PAUSES = ("rollout.paused", "rollout.resumed", "approval.requested", "approval.granted")


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
    def outcome(self) -> str:
        """What was last recorded of it."""
        ...


def standing(journal: Journal, row: RolloutRecord) -> RolloutRecord:
    """Running without a controller is interrupted; with one that was told to pause, or that asks
    a person at its terminal, paused."""
    if row.state is not RolloutState.RUNNING:
        return row
    if not journal.is_alive(row.id):
        return replace(row, state=RolloutState.INTERRUPTED)
    told = [event.type for event in every_event(journal, row.id) if event.type in _PAUSES]
    if told[-1:] == ["approval.requested"]:
        return replace(row, state=RolloutState.PAUSED, outcome="paused")
    paused = told[-1:] == ["rollout.paused"]
    return replace(row, state=RolloutState.PAUSED, outcome="") if paused else row


def ways_on(row: Stands) -> str:
    """The commands that are right for a rollout that is not over."""
    if row.state == RolloutState.RUNNING:
        return f"gapless watch {row.id}"
    on = "promote" if row.state == RolloutState.PAUSED and row.outcome == "paused" else "resume"
    return f"gapless {on} {row.id}   or   gapless abort {row.id}"
