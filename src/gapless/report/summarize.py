"""From events to the report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gapless.errors import UndoRequested
from gapless.events.event import Event
from gapless.model import AS_IT_WAS
from gapless.plans import Plan
from gapless.report.fold import progress_of
from gapless.report.outcome import EXIT_CODES, Outcome, parse_outcome
from gapless.report.parse import texts
from gapless.report.progress import InstanceProgress, Progress, Stage
from gapless.report.report import Report, ServiceReport, Undone, Unjudged, Unsure


def summarize(plan: Plan | None, events: Iterable[Event], sinks: tuple[str, ...] = ()) -> Report:
    """The report of one rollout. Without the plan, what the events tell has to do."""
    return report_of(progress_of(plan, events), sinks)


def report_of(progress: Progress, sinks: tuple[str, ...] = ()) -> Report:
    """The report of a rollout that stands where ``progress`` says."""
    plan, data = progress.plan, progress.ending.data if progress.ending else {}
    names = dict.fromkeys((*progress.services, *_untouched_names(plan, data)))
    return Report(
        outcome=outcome_of(progress),
        rollout=progress.rollout,
        verb=progress.verb,
        project=plan.project if plan else "",
        environment=plan.environment if plan else "",
        actor=progress.actor,
        reason=progress.reason,
        force=progress.force,
        started=progress.started,
        ended=progress.now,
        services=tuple(_service(progress, name, data) for name in names),
        failures=tuple(progress.failures),
        undone=tuple(_named(undone, data) for undone in progress.undone.values()),
        left_out=tuple(progress.left_out),
        warned=tuple(progress.warned),
        margins=tuple(progress.margins.values()),
        unjudged=tuple(_unjudged(progress)),
        unsure=tuple(_unsure(progress)),
        schemas=tuple(progress.schemas),
        gap=progress.gap,
        what=_why_it_ended(progress),
        evidence=str(data.get("evidence") or ""),
        code=str(data.get("code") or _code_of(progress)),
        next=str(data.get("next") or _of_untouched(progress)),
        sinks=sinks,
    )


def _of_untouched(progress: Progress) -> str:
    """The commands for what is not where it should be, though there was nothing to do about it."""
    if progress.plan is None or not outcome_of(progress).good:
        return ""
    return "\n".join(dict.fromkeys(u.next for u in progress.plan.untouched if u.next))


def outcome_of(progress: Progress) -> Outcome:
    """How it ended. A stream that just stops was interrupted: nobody recorded an end."""
    ending = progress.ending
    if ending is None:
        return _nothing_or_interrupted(progress)
    said = parse_outcome(str(ending.data.get("outcome") or "")) or _of_type(progress, ending)
    if said.good and _left_behind(progress):
        return Outcome.MIXED  # whatever was claimed: never 0 after a rollback
    return said


def _nothing_or_interrupted(progress: Progress) -> Outcome:
    empty = progress.plan is not None and not any(True for _ in progress.plan.instances())
    return Outcome.NOTHING_TO_DO if empty else Outcome.INTERRUPTED


def _of_type(progress: Progress, ending: Event) -> Outcome:
    match ending.type:
        case "rollout.succeeded":
            return Outcome.DONE
        case "rollout.refused":
            held = ending.data.get("code") == "GL-301"
            return Outcome.LOCK_HELD if held else Outcome.REFUSED
        case "rollout.paused" | "approval.requested":
            return Outcome.PAUSED
        case "rollout.interrupted":
            return Outcome.INTERRUPTED
    by_code = {code: outcome for outcome, code in EXIT_CODES.items() if code}
    said = by_code.get(ending.data.get("exit_code") or 0)
    return said or (Outcome.MIXED if _mixed(progress) else Outcome.RESTORED)


def _left_behind(progress: Progress) -> bool:
    """Whether an instance did not get where the rollout wanted it."""
    bad = [Stage.FAILED, Stage.LOST, Stage.KEPT, Stage.UNDOING]
    if progress.verb != "rollback":
        bad.append(Stage.RESTORED)
    return progress.count(*bad) > 0


def _mixed(progress: Progress) -> bool:
    """Whether anything is neither as before nor restored."""
    touched = [item for item in progress.instances.values() if item.touched]
    return any(item.stage not in (Stage.RESTORED, Stage.KEPT) for item in touched)


def _service(progress: Progress, name: str, data: Mapping[str, Any]) -> ServiceReport:
    entry = progress.services.get(name)
    hosts, why = _untouched(progress, name)
    left = (data.get("untouched") or {}).get(name) or {}

    def at(*stages: Stage) -> tuple[str, ...]:
        return tuple(item.host for item in progress.of(name) if _end(item) in stages)

    waiting = tuple(dict.fromkeys((*at(Stage.WAITING), *texts(left.get("hosts")))))
    return ServiceReport(
        name=name,
        serving=_serving(data, name),
        done=at(Stage.DONE),
        failed=at(Stage.FAILED, Stage.LOST, Stage.RUNNING, Stage.UNDOING),
        restored=at(Stage.RESTORED),
        kept=at(Stage.KEPT),
        waiting=waiting,
        waiting_why=str(left.get("why") or ""),
        untouched=hosts,
        untouched_why=why,
        left={
            **{host: _why_waiting(progress, name, left) for host in waiting},
            **{host: _why_kept(progress, name, host) for host in at(Stage.KEPT)},
            **{host: text for host, text in _why_untouched(progress, name) if host in hosts},
        },
        skipped=(entry.why or "not begun") if entry and entry.state == "skipped" else "",
        target=entry.target if entry else "",
        configuration=dict((data.get("configuration") or {}).get(name) or {}),
        files=_files(progress, name, at(Stage.DONE)),
    )


def _files(progress: Progress, name: str, done: Collection[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for service in progress.plan.services if progress.plan else ():
        for change in service.config_changes if service.name == name else ():
            for host in change["hosts"]:
                if host in done:
                    found[host] = (*found.get(host, ()), str(change["file"]))
    return found


def _why_waiting(progress: Progress, service: str, left: Mapping[str, Any]) -> str:
    entry = progress.services.get(service)
    skipped = entry.why if entry and entry.state == "skipped" else ""
    return str(left.get("why") or "") or skipped or _STOPPED.get(outcome_of(progress), _BEFORE)


_BEFORE = "the rollout stopped before it"
_STOPPED: Mapping[Outcome, str] = {
    Outcome.REFUSED: "nothing was changed: the rollout was refused",
    Outcome.LOCK_HELD: "nothing was changed: another rollout owns the service",
}


def _why_kept(progress: Progress, service: str, host: str) -> str:
    told = (f.what for f in progress.failures if (f.service, f.host) == (service, host))
    return f"not changed: {next(told, 'it failed before')}"


def _why_untouched(progress: Progress, service: str) -> Iterator[tuple[str, str]]:
    for item in progress.plan.untouched if progress.plan else ():
        if item.service == service:
            yield from ((host, item.why) for host in item.hosts)


def _serving(data: Mapping[str, Any], service: str) -> dict[str, str]:
    """What runs where; that something was restored is our own mark, said once."""
    told = (data.get("serving") or {}).get(service) or {}
    return {str(host): _without_mark(str(what)) for host, what in told.items()}


def _without_mark(what: str) -> str:
    return what.removesuffix("(restored)").strip() or AS_IT_WAS


def _named(undone: Undone, data: Mapping[str, Any]) -> Undone:
    """A linked rollback does not say what it went back to; what serves now does."""
    now = _serving(data, undone.service).get(undone.host, "")
    return replace(undone, restored=now) if undone.ok and not undone.restored else undone


def _end(item: InstanceProgress) -> Stage:
    """An instance left in the middle, while nothing that runs had been changed, is unharmed."""
    if item.touched or item.stage not in (Stage.RUNNING, Stage.FAILED):
        return item.stage
    return Stage.WAITING if item.stage is Stage.RUNNING else Stage.KEPT


def _unjudged(progress: Progress) -> Iterator[Unjudged]:
    """Of those that are new: what went back is as it was before anybody asked."""
    for item in progress.instances.values():
        if item.stage is Stage.DONE and item.let_through:
            for verdict in item.undecided:
                yield Unjudged(
                    item.service, item.host, verdict.check, verdict.answer, item.accepted
                )


def _unsure(progress: Progress) -> Iterator[Unsure]:
    for item in progress.instances.values():
        if item.stage is Stage.DONE and item.verdict is not None and item.verdict.unsure:
            yield Unsure(item.service, item.host, item.verdict.answer)


def _untouched_names(plan: Plan | None, data: Mapping[str, Any]) -> tuple[str, ...]:
    named = data.get("untouched")
    told = tuple(named) if isinstance(named, Mapping) else ()
    return (*told, *(item.service for item in plan.untouched)) if plan else told


def _untouched(progress: Progress, service: str) -> tuple[tuple[str, ...], str]:
    """What the plan leaves alone; what it could not touch is told as failed."""
    told = {item.host for item in progress.of(service) if item.stage is not Stage.WAITING}
    plan = progress.plan
    items = [item for item in plan.untouched if item.service == service] if plan else []
    items = [item for item in items if not told.issuperset(item.hosts)]
    why = "; ".join(dict.fromkeys(item.why for item in items))
    return tuple(host for item in items for host in item.hosts if host not in told), why


def _code_of(progress: Progress) -> str:
    """An abort is nobody's error, so its event carries none."""
    aborted = progress.ending is not None and progress.ending.type == "rollout.aborted"
    return UndoRequested.code if aborted else ""


def _why_it_ended(progress: Progress) -> str:
    if progress.paused:
        return progress.paused
    if progress.ending is None:
        return ""
    if progress.ending.type == "rollout.aborted":
        return f"aborted, {progress.ending.reason or 'nobody said why'}"
    return str(progress.ending.data.get("what") or progress.ending.reason or "")
