"""Asking for a rollout to be taken back: by whom and why, for whoever works on it and for the
history."""

from __future__ import annotations

from gapless.engine.journal import Journal, Request, every_event
from gapless.events.event import Event

REQUESTED = "abort.requested"


def ask_to_abort(journal: Journal, rollout: str, actor: str, reason: str, now: float) -> None:
    """Why comes first: whoever hears the request reads it."""
    journal.append(Event(REQUESTED, rollout=rollout, actor=actor, reason=reason, ts=now))
    journal.request(rollout, "abort", actor, now)


def who_and_why(journal: Journal, request: Request) -> str:
    """In words: ``asked for by alice: wrong release``."""
    told = [e.reason for e in every_event(journal, request.rollout) if e.type == REQUESTED]
    why = next((reason for reason in reversed(told) if reason), "")
    return f"asked for by {request.actor}{f': {why}' if why else ''}"
