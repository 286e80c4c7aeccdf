"""What a rollout waits for a person to approve, and the answers, as the journal has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gapless.engine.journal import Journal, every_event
from gapless.events.event import Event

REQUESTED = "approval.requested"
GRANTED = "approval.granted"


@dataclass(frozen=True, slots=True)
class Approval:
    """Between two groups of a service: ``after`` is done, ``before`` with ``hosts`` is next.
    ``batch`` is the last one that was done."""

    service: str
    batch: str
    after: str
    before: str
    hosts: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str]:
        """What tells it from every other of its rollout."""
        return self.service, self.batch

    @property
    def why(self) -> str:
        """What is waited for."""
        return f"{self.service} waits for approval: {self.after} is done, {self.before} is next"

    def data(self) -> dict[str, Any]:
        """What its events hold."""
        return {
            "batch": self.batch,
            "after": self.after,
            "before": self.before,
            "hosts": list(self.hosts),
            "why": self.why,
        }

    @classmethod
    def of(cls, event: Event) -> Approval:
        """The one an event is about."""
        data: Mapping[str, Any] = event.data
        batch, after, before = (str(data.get(key, "")) for key in ("batch", "after", "before"))
        return cls(event.service, batch, after, before, tuple(data.get("hosts", ())))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said; ``granted`` False leaves it waiting."""

    granted: bool
    actor: str = ""
    reason: str = ""


Approver = Callable[[Approval], Awaitable[Answer]]
"""Asks the person at the terminal; cancelled when the answer came from elsewhere."""


def pending(journal: Journal, rollout: str) -> tuple[Approval, ...]:
    """What was asked for and nobody granted yet."""
    asked: dict[tuple[str, str], Approval] = {}
    for event in every_event(journal, rollout):
        if event.type == REQUESTED:
            asked[Approval.of(event).place] = Approval.of(event)
        elif event.type == GRANTED:
            asked.pop(Approval.of(event).place, None)
    return tuple(asked.values())


def grant(
    journal: Journal, rollout: str, *, actor: str, reason: str, now: float
) -> tuple[Approval, ...]:
    """Grant all that a rollout waits for; whoever works on it, or goes on with it, reads it."""
    granted = pending(journal, rollout)
    for approval in granted:
        journal.append(granting(approval, rollout, Answer(True, actor, reason), now))
    return granted


def granting(approval: Approval, rollout: str, answer: Answer, now: float) -> Event:
    """The event that grants it."""
    return Event(
        GRANTED,
        rollout=rollout,
        service=approval.service,
        actor=answer.actor,
        reason=answer.reason,
        data=approval.data(),
        ts=now,
    )
