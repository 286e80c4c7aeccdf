"""The journal contract: what survives a kill -9 of the controller.

Every step is ``begin`` (intent, committed before anything happens) and ``finish`` (outcome); the
event that tells of it is written in the same transaction. ``gapless.testing.journal_suite`` is the
conformance suite a second journal has to pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from gapless.errors import LockHeld
from gapless.events.event import Event, timestamp
from gapless.plans import Plan


class RolloutState(StrEnum):
    """Where a rollout stands in the journal. RUNNING without a living controller: interrupted."""

    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class StepState(StrEnum):
    """What the journal knows of a step."""

    BEGUN = "begun"
    DONE = "done"
    OBSERVED = "observed"
    """Found done already; the action was not repeated."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """One rollout. Times are seconds since the epoch; ``ended`` 0 while it is not over."""

    id: str
    project: str
    verb: str
    services: tuple[str, ...]
    digest: str
    actor: str
    controller: str
    pid: int
    started: float
    reason: str = ""
    environment: str = ""
    parent: str = ""
    state: RolloutState = RolloutState.RUNNING
    ended: float = 0.0
    outcome: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The newest attempt of a step."""

    key: str
    attempt: int
    state: StepState
    before: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    begun: float = 0.0
    ended: float = 0.0

    @property
    def closed(self) -> bool:
        """Whether an outcome was recorded."""
        return self.state is not StepState.BEGUN

    @property
    def good(self) -> bool:
        """Whether the goal is known to be met."""
        return self.state in (StepState.DONE, StepState.OBSERVED, StepState.SKIPPED)


@dataclass(frozen=True, slots=True)
class LockRecord:
    """Who owns a service, for ``gapless lock`` and the refusal of the next rollout."""

    service: str
    rollout: str
    owner: str
    controller: str
    pid: int
    since: float
    reason: str
    fence: int
    live: bool = False
    host: str = ""
    """Of a rollout that has ended: the host that could not be told, and still obeys it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked of a running rollout: pause, resume, promote, abort."""

    seq: int
    rollout: str
    signal: str
    actor: str
    ts: float


class Journal(Protocol):
    """Append-only memory of rollouts. Errors: JournalError (with the file and the reason), and
    UsageError for a rollout that is not in it."""

    def open_rollout(self, record: RolloutRecord, plan: Plan, event: Event) -> Event:
        """Store a rollout with its plan; raises LockHeld for a service another one owns."""
        ...

    def close_rollout(
        self, rollout: str, state: RolloutState, outcome: str, exit_code: int | None, event: Event
    ) -> Event:
        """Record how it ended (or paused); ENDED gives its services back."""
        ...

    def adopt(self, rollout: str, controller: str, pid: int, event: Event) -> Event:
        """Take an interrupted rollout over; raises LockHeld while its controller lives."""
        ...

    def alive(self, rollout: str) -> AbstractContextManager[None]:
        """Hold the rollout's liveness for the body; raises LockHeld when somebody else does."""
        ...

    def is_alive(self, rollout: str) -> bool:
        """Whether a controller is working on it now."""
        ...

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
        """Commit the intent of a step; ``durable`` ones survive a power cut, with all that was
        committed before them."""
        ...

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
        ...

    def append(self, event: Event) -> Event:
        """Commit an event of its own."""
        ...

    def steps(self, rollout: str) -> Mapping[str, StepRecord]:
        """The newest attempt of every step by key."""
        ...

    def load(self, rollout: str) -> tuple[RolloutRecord, Plan]:
        """A rollout and its plan; raises UsageError when unknown, JournalError when of a newer
        schema."""
        ...

    def rollouts(self, limit: int = 50, *, unfinished: bool = False) -> Sequence[RolloutRecord]:
        """Newest first."""
        ...

    def children(self, rollout: str) -> Sequence[RolloutRecord]:
        """Rollouts that take this one back, oldest first."""
        ...

    def events(
        self, rollout: str | None = None, after: int = 0, limit: int = 10_000
    ) -> Sequence[Event]:
        """Events in order, of one rollout with its children or of all."""
        ...

    def request(self, rollout: str, signal: str, actor: str, ts: float) -> None:
        """Ask a running rollout for something."""
        ...

    def requests(self, rollout: str, after: int = 0) -> Sequence[Request]:
        """What was asked since."""
        ...

    def locks(self) -> Sequence[LockRecord]:
        """Services owned now, and what ended rollouts left on hosts."""
        ...

    def leave_lock(self, rollout: str, service: str, host: str) -> None:
        """Note that a host could not be told that the rollout gives the service back."""
        ...

    def forget_left(self, service: str, host: str) -> None:
        """The host obeys somebody else now."""
        ...

    def break_lock(self, service: str, event: Event) -> LockRecord | None:
        """Take the lock away from its owner (audited by the event), and forget what was left."""
        ...

    def durations(self, service: str, limit: int = 10) -> Sequence[float]:
        """Seconds the last instances of a service took, newest first."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


def every_event(journal: Journal, rollout: str, after: int = 0) -> Iterator[Event]:
    """The events of a rollout and its children in order, however many: read a page at a time."""
    while page := journal.events(rollout, after=after):
        yield from page
        after = page[-1].seq


def lock_held(lock: LockRecord, state: str, next: str) -> LockHeld:  # noqa: A002
    """The refusal: who owns the service, how its rollout stands, since when, why, and what to do
    about it."""
    since = timestamp(lock.since)[:19] + "Z"
    why = f", reason: {lock.reason}" if lock.reason else ""
    return LockHeld(
        f"{lock.service} is locked: rollout {lock.rollout} {state}",
        where=lock.controller,
        evidence=f"{lock.owner} on {lock.controller}, pid {lock.pid}, since {since}{why}",
        next=next,
    )
