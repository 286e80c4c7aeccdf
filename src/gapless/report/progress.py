"""Where a rollout stands: one fold over its events, for the live view and for the report.

The engine, a `watch` in another terminal and a report made a year later all see the same, because
all of them are this fold over the same stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gapless.events.event import Event
from gapless.plan import Plan
from gapless.report.parse import (
    failure_of,
    gap_of,
    left_out_of,
    texts,
    undone_hosts,
    undone_of,
)
from gapless.report.report import Failure, Gap, LeftOut, Undone, parse_verdict

TOUCHING = frozenset(
    ("drain", "evacuate", "switch", "ready", "rejoin", "warm", "admit", "soak", "verify", "commit")
)
"""Steps after which an instance counts as touched; all before change nothing that runs."""


class Stage(StrEnum):
    """Where one instance stands."""

    WAITING = "waiting"
    RUNNING = "under way"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "going back"
    RESTORED = "restored"
    LOST = "not restored"


@dataclass(slots=True)
class InstanceProgress:
    """One instance: its stage, its step since when, the last answer of what it waits for."""

    service: str
    host: str
    stage: Stage = Stage.WAITING
    step: str = ""
    since: float = 0.0
    touched: bool = False
    answer: str = ""


@dataclass(slots=True)
class ServiceProgress:
    """One service: its batches so far and why it was skipped, if it was."""

    name: str
    state: str = "waiting"
    batch: str = ""
    batch_hosts: tuple[str, ...] = ()
    batches: int = 0
    begun: int = 0
    why: str = ""
    target: str = ""


@dataclass
class Progress:
    """All there is to know of a rollout up to an event. Give the plan where it is at hand."""

    plan: Plan | None = None
    rollout: str = ""
    verb: str = ""
    actor: str = ""
    reason: str = ""
    force: str = ""
    started: float = 0.0
    now: float = 0.0
    expected: float = 0.0
    services: dict[str, ServiceProgress] = field(default_factory=dict)
    instances: dict[tuple[str, str], InstanceProgress] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    undone: dict[tuple[str, str], Undone] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    gap: Gap | None = None
    paused: str = ""
    """Why it waits; empty while it goes on."""
    ending: Event | None = None
    """The event that ended, refused, paused or interrupted it."""

    def __post_init__(self) -> None:
        """Fill in what the plan says."""
        if self.plan is None:
            return
        self.verb, self.force = self.plan.verb.value, self.plan.force
        self.expected = self.plan.expected
        for service in self.plan.services:
            entry = self.service(service.name)
            entry.batches, entry.target = len(service.batches), str(service.to.get("name", ""))
            for host in service.hosts:
                self.instance(service.name, host)

    def service(self, name: str) -> ServiceProgress:
        """The service's entry, made when new."""
        return self.services.setdefault(name, ServiceProgress(name))

    def instance(self, service: str, host: str) -> InstanceProgress:
        """The instance's entry, made when new."""
        return self.instances.setdefault((service, host), InstanceProgress(service, host))

    def of(self, service: str) -> Iterable[InstanceProgress]:
        """The instances of a service in plan order."""
        return (item for item in self.instances.values() if item.service == service)

    def count(self, *stages: Stage) -> int:
        """How many instances are in one of the stages."""
        return sum(item.stage in stages for item in self.instances.values())

    def apply(self, event: Event) -> None:
        """Take one event in; unknown types change nothing."""
        self.now = max(self.now, event.ts)
        if not self.rollout:
            self.rollout = event.rollout
        child = bool(event.rollout) and event.rollout != self.rollout
        if child and event.type not in _OF_CHILDREN:
            return  # a linked rollback has its own steps and ending; ours follow from rollback.*
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)


Handler = Callable[[Progress, Event], None]

_OF_CHILDREN = frozenset(
    ("rollback.started", "rollback.succeeded", "rollback.failed", "instance.left_out")
)


def _planned(progress: Progress, event: Event) -> None:
    data = event.data
    progress.verb = str(data.get("verb") or progress.verb)
    progress.expected = float(data.get("expected") or progress.expected)
    _who(progress, event)
    names: Any = data.get("services") or ()
    for name in names:
        progress.service(name if isinstance(name, str) else str(name.get("name", "")))
        if isinstance(names, Mapping):
            for host in texts(names[name]):
                progress.instance(str(name), host)


def _who(progress: Progress, event: Event) -> None:
    progress.started = progress.started or event.ts
    progress.actor = progress.actor or event.actor
    progress.reason = progress.reason or event.reason


def _forced(progress: Progress, event: Event) -> None:
    progress.force = str(event.data.get("reason") or event.reason or "no reason recorded")


def _paused(progress: Progress, event: Event) -> None:
    progress.paused = str(event.data.get("why") or event.reason or "a person asked for it")
    progress.ending = event


def _goes_on(progress: Progress, event: Event) -> None:
    progress.paused, progress.ending = "", None


def _ended(progress: Progress, event: Event) -> None:
    _who(progress, event)
    progress.paused, progress.ending = "", event


def _service_state(progress: Progress, event: Event) -> None:
    entry = progress.service(event.service)
    entry.state = event.type.partition(".")[2]
    entry.why = str(event.data.get("reason") or event.data.get("why") or event.reason)
    if event.type == "service.succeeded":
        for item in progress.of(event.service):
            if item.stage is Stage.RUNNING:
                item.stage = Stage.DONE


def _batch_started(progress: Progress, event: Event) -> None:
    entry = progress.service(event.service)
    entry.batch = str(event.data.get("batch", ""))
    entry.batch_hosts = texts(event.data.get("hosts"))
    entry.begun += 1
    entry.batches = max(entry.batches, entry.begun)
    for host in entry.batch_hosts:
        progress.instance(event.service, host)


def _batch_done(progress: Progress, event: Event) -> None:
    for host in progress.service(event.service).batch_hosts:
        item = progress.instance(event.service, host)
        if item.stage in (Stage.RUNNING, Stage.WAITING):
            item.stage = Stage.DONE


def _step_started(progress: Progress, event: Event) -> None:
    if not event.host:
        return
    item = progress.instance(event.service, event.host)
    item.step, item.since, item.answer = event.step, event.ts, ""
    item.touched = item.touched or event.step in TOUCHING
    if item.stage is not Stage.UNDOING:
        item.stage = Stage.RUNNING


def _step_done(progress: Progress, event: Event) -> None:
    if not event.host:
        return
    item = progress.instance(event.service, event.host)
    item.touched = item.touched or event.step in TOUCHING
    if event.step == "commit":
        item.stage = Stage.DONE


def _step_progress(progress: Progress, event: Event) -> None:
    verdict = parse_verdict(event.data.get("verdict"))
    if verdict is not None and event.host:
        progress.instance(event.service, event.host).answer = str(verdict)


def _step_failed(progress: Progress, event: Event) -> None:
    progress.failures.append(failure_of(event))
    if event.host:
        item = progress.instance(event.service, event.host)
        item.stage, item.step, item.since = Stage.FAILED, event.step, event.ts


def _migration_failed(progress: Progress, event: Event) -> None:
    known = any(f.service == event.service and f.step == "migrate" for f in progress.failures)
    if not known:
        progress.failures.append(failure_of(event))


def _undo_started(progress: Progress, event: Event) -> None:
    for host in undone_hosts(event):
        item = progress.instance(event.service, host)
        item.stage, item.since, item.answer = Stage.UNDOING, event.ts, ""


def _undo_ended(progress: Progress, event: Event) -> None:
    stage = Stage.RESTORED if event.type == "rollback.succeeded" else Stage.LOST
    hosts = undone_hosts(event) or tuple(
        i.host for i in progress.of(event.service) if i.stage is Stage.UNDOING
    )
    for host in hosts:
        progress.instance(event.service, host).stage = stage
        progress.undone[event.service, host] = undone_of(event, host)


def _left_out(progress: Progress, event: Event) -> None:
    progress.left_out.append(left_out_of(event))


def _reading(progress: Progress, event: Event) -> None:
    progress.gap = gap_of(event.data)


_HANDLERS: Mapping[str, Handler] = {
    "rollout.planned": _planned,
    "rollout.started": _who,
    "rollout.paused": _paused,
    "approval.requested": _paused,
    "rollout.resumed": _goes_on,
    "approval.granted": _goes_on,
    "rollout.succeeded": _ended,
    "rollout.failed": _ended,
    "rollout.refused": _ended,
    "rollout.aborted": _ended,
    "rollout.interrupted": _ended,
    "service.started": _service_state,
    "service.succeeded": _service_state,
    "service.failed": _service_state,
    "service.skipped": _service_state,
    "batch.started": _batch_started,
    "batch.succeeded": _batch_done,
    "step.started": _step_started,
    "step.succeeded": _step_done,
    "step.observed": _step_done,
    "step.failed": _step_failed,
    "step.progress": _step_progress,
    "migration.failed": _migration_failed,
    "rollback.started": _undo_started,
    "rollback.succeeded": _undo_ended,
    "rollback.failed": _undo_ended,
    "instance.left_out": _left_out,
    "prove.reading": _reading,
    "prove.finished": _reading,
    "force.used": _forced,
}
