"""What each event does to the progress of a rollout: one small function a meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from gapless.config.quantities import format_duration
from gapless.errors import FailureKind
from gapless.events.event import Event
from gapless.plans import Plan, StepKind
from gapless.report.parse import (
    failure_of,
    gap_of,
    left_out_of,
    schema_back_of,
    texts,
    undone_instances,
    undone_of,
)
from gapless.report.progress import TOUCHING, Progress, Stage
from gapless.report.report import Margin, Undone, Warned, parse_verdict


def apply(progress: Progress, event: Event) -> None:
    """Take one event in; unknown types change nothing."""
    progress.now = max(progress.now, event.ts)
    if not progress.rollout:
        progress.rollout = event.rollout
    child = bool(event.rollout) and event.rollout != progress.rollout
    handler = (OF_CHILDREN if child else HANDLERS).get(event.type)
    if handler is not None:
        handler(progress, event)


def progress_of(plan: Plan | None, events: Iterable[Event]) -> Progress:
    """Where a rollout stands after all of them."""
    progress = Progress(plan)
    for event in events:
        apply(progress, event)
    return progress


Handler = Callable[[Progress, Event], None]

_LEFT_IN = {
    "restored": Stage.RESTORED,
    "untouched": Stage.KEPT,
    "lost": Stage.KEPT,
    "stayed": Stage.KEPT,
    "down": Stage.KEPT,
    "broken": Stage.LOST,
}


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
    progress.failures = [replace(failure, past=True) for failure in progress.failures]


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
    if event.step == StepKind.VERIFY:
        item.undecided, item.let_through = (), False
    if item.stage in (Stage.WAITING, Stage.DONE):
        item.stage = Stage.RUNNING  # the steps of an undo do not make it new again


def _step_done(progress: Progress, event: Event) -> None:
    if event.host:
        item = progress.instance(event.service, event.host)
        item.touched = item.touched or event.step in TOUCHING
        item.let_through = item.let_through or event.step == StepKind.VERIFY


def _answered(progress: Progress, event: Event) -> None:
    """The last answer of a check or of a wait, for the live view and for the proof of an undo."""
    verdict = parse_verdict(event.data.get("verdict"))
    if verdict is None or not event.host:
        return
    item = progress.instance(event.service, event.host)
    item.answer = str(verdict)
    if event.step == "ready":
        item.verdict = verdict


def _shared(progress: Progress, event: Event) -> None:
    """What the new copy gets of the traffic from now on, for the live view."""
    item = progress.instance(event.service, event.host)
    share, time = float(event.data.get("share") or 0.0), float(event.data.get("seconds") or 0.0)
    item.answer = f"{100 * share:.3g} % of traffic for {format_duration(time)}"


def _inconclusive(progress: Progress, event: Event) -> None:
    """Also what may be let through so: of a check that may not, the failure tells."""
    _answered(progress, event)
    verdict = parse_verdict(event.data.get("verdict"))
    if verdict is not None and event.host and event.step == StepKind.VERIFY:
        item = progress.instance(event.service, event.host)
        item.undecided = (*item.undecided, verdict)


def _contact(progress: Progress, event: Event) -> None:
    item = progress.instance(event.service, event.host)
    item.away = event.ts if event.type == "contact.lost" else 0.0


def _step_failed(progress: Progress, event: Event) -> None:
    item = progress.instance(event.service, event.host) if event.host else None
    if item is not None:
        item.away = 0.0
    if item is not None and item.stage in (Stage.UNDOING, Stage.LOST):
        return  # of an undo, rollback.failed tells
    progress.failures.append(failure_of(event))
    if item is not None:
        item.stage, item.step, item.since = Stage.FAILED, event.step, event.ts


def _instance_done(progress: Progress, event: Event) -> None:
    """It is new, even where a person has to judge its evidence."""
    item = progress.instance(event.service, event.host)
    item.stage, item.touched = Stage.DONE, True


def _held(progress: Progress, event: Event) -> None:
    _instance_done(progress, event)
    item = progress.instance(event.service, event.host)
    item.accepted = item.accepted or event.data.get("reason") == "insufficient"


def _instance_failed(progress: Progress, event: Event) -> None:
    """The last word on an instance: in which state its failure left it."""
    item = progress.instance(event.service, event.host)
    item.stage = _LEFT_IN.get(str(event.data.get("outcome")), Stage.FAILED)
    failure = replace(failure_of(replace(event, data=_error(event))), step=item.step)
    told = progress.known(failure) or (item.service, item.host) in progress.undone
    if not told and failure.kind != FailureKind.CANCELLED:
        progress.failures.append(failure)


def _error(event: Event) -> Mapping[str, Any]:
    error = event.data.get("error")
    return error if isinstance(error, Mapping) else {}


def _migration_failed(progress: Progress, event: Event) -> None:
    known = any(f.service == event.service and f.step == "migrate" for f in progress.failures)
    if not known:
        progress.failures.append(failure_of(event))


def _schema_back(progress: Progress, event: Event) -> None:
    if event.type == "migration.skipped" or event.data.get("to") is not None:
        progress.schemas.append(schema_back_of(event))


def _bumped(progress: Progress, event: Event) -> None:
    """On every host the same: told once."""
    told = schema_back_of(event)
    if not any(
        (one.service, one.bumped) == (told.service, told.bumped) for one in progress.schemas
    ):
        progress.schemas.append(told)


def _undo_started(progress: Progress, event: Event) -> None:
    for service, host in undone_instances(event):
        item = progress.instance(service, host)
        item.stage, item.since, item.answer, item.verdict = Stage.UNDOING, event.ts, "", None


def _undo_ended(progress: Progress, event: Event) -> None:
    named = undone_instances(event)
    under_way = [key for key, i in progress.instances.items() if i.stage is Stage.UNDOING]
    whole = not event.host  # of a linked rollback: its instances have told for themselves
    for key in [key for key in under_way if key in named] if whole and named else named:
        _went_back(progress, undone_of(event, *key))


def _went_back(progress: Progress, undone: Undone) -> None:
    key = (undone.service, undone.host)
    item = progress.instance(*key)
    item.stage = Stage.RESTORED if undone.ok else Stage.LOST
    progress.undone[key] = replace(undone, verdict=undone.verdict or item.verdict)


def _child_done(progress: Progress, event: Event) -> None:
    """An instance of a linked rollback is new again in the old way."""
    taken = float(event.data.get("seconds") or 0.0)
    _went_back(progress, Undone(event.service, event.host, True, seconds=taken))


def _child_failed(progress: Progress, event: Event) -> None:
    key = (event.service, event.host)
    told = progress.undone.get(key)
    if told is None or told.ok:  # its own rollback.failed has the manual commands
        failed = undone_of(replace(event, data=_error(event)), *key)
        _went_back(progress, replace(failed, ok=False))


def _left_out(progress: Progress, event: Event) -> None:
    progress.left_out.append(left_out_of(event))


def _warned(progress: Progress, event: Event) -> None:
    told = Warned(event.service, event.host, str(event.data.get("why", "")))
    progress.warned.append(told)


def _margin(progress: Progress, event: Event) -> None:
    lines = tuple(str(line) for line in event.data.get("lines", ()))
    progress.margins[event.service] = Margin(event.service, lines)


def _reading(progress: Progress, event: Event) -> None:
    progress.gap = gap_of(event.data)


HANDLERS: Mapping[str, Handler] = {
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
    "step.progress": _answered,
    "contact.lost": _contact,
    "contact.back": _contact,
    "check.passed": _answered,
    "check.failed": _answered,
    "check.inconclusive": _inconclusive,
    "instance.done": _instance_done,
    "instance.failed": _instance_failed,
    "migration.failed": _migration_failed,
    "migration.succeeded": _schema_back,
    "migration.skipped": _schema_back,
    "migration.bumped": _bumped,
    "rollback.started": _undo_started,
    "rollback.succeeded": _undo_ended,
    "rollback.failed": _undo_ended,
    "instance.held": _held,
    "instance.left_out": _left_out,
    "instance.warned": _warned,
    "cluster.margin": _margin,
    "shift.confirmed": _shared,
    "prove.reading": _reading,
    "prove.finished": _reading,
    "force.used": _forced,
}
"""What each event of the rollout itself means."""

OF_CHILDREN: Mapping[str, Handler] = {
    "instance.done": _child_done,
    "instance.failed": _child_failed,
    "step.progress": _answered,
    "contact.lost": _contact,
    "contact.back": _contact,
    "check.passed": _answered,
    "check.failed": _answered,
    "rollback.started": _undo_started,
    "rollback.succeeded": _undo_ended,
    "rollback.failed": _undo_ended,
    "instance.left_out": _left_out,
    "instance.warned": _warned,
}
"""What the events of a linked rollback mean for the rollout it takes back."""
