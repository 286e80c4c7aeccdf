"""The last screen of a rollout, for each of its endings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gapless.errors import FenceRefused, LockHeld, UndoRequested
from gapless.model import NOT_INSTALLED
from gapless.render import failure
from gapless.render.gap import gap, shortfalls
from gapless.render.layout import INDENT, WIDTH, following, head, labelled, screen
from gapless.render.spelling import spelled
from gapless.render.unjudged import unjudged, unsure
from gapless.render.words import LISTED, hosts, plural, seconds
from gapless.report.outcome import Outcome
from gapless.report.report import Report, ServiceReport


def render_report(report: Report, *, verbose: bool = False, width: int = WIDTH) -> str:
    """What a person reads when a rollout is over."""
    lines = list(_SCREENS[report.outcome](report, verbose, width))
    lines += [line for text in report.sinks for line in labelled("events", text, width)]
    return screen(lines)


def _done(report: Report, verbose: bool, width: int) -> Iterator[str]:
    done = sum(len(service.done) for service in report.services)
    names = ", ".join(service.name for service in report.services if service.done)
    missed = shortfalls(report.gap)
    text = f"{_verb(report)} {names}: {plural(done, 'instance')} in {seconds(report.seconds)}"
    if missed:  # done, and not what --prove was to show
        yield from head("!", f"{text}, but {missed}", width=width)
    else:
        yield from head("✓", text, width=width)
    yield from failure.schemas(report.schemas, width)
    yield from gap(report.gap, width)
    yield from unjudged(report, width)
    yield from unsure(report, width)
    yield from failure.now(report, width)
    yield from failure.configured(report, width)
    yield from _rest(report, width)
    yield from _forced(report, width)
    yield from failure.left_out(report.left_out, width)
    yield from failure.warned(report.warned, width)
    yield from _next(report, width)


def _nothing(report: Report, verbose: bool, width: int) -> Iterator[str]:
    if report.next:
        text = "Nothing to do, and yet not every instance is where it should be"
        yield from head("!", text, width=width)
    else:
        yield from head("✓", "Nothing to do: every instance is where it should be", width=width)
    yield from _rest(report, width)
    yield from _next(report, width)


def _failed(report: Report, verbose: bool, width: int) -> Iterator[str]:
    yield from failure.failures(report, verbose=verbose, width=width)
    if not report.failures:
        yield from head("✗", report.what or "the rollout failed", report.code, width)
        if report.evidence:
            yield from labelled("answer", report.evidence, width)
    yield from failure.undone(report, width)
    yield from failure.not_restored(report, width)
    yield from failure.left_out(report.left_out, width)
    yield from failure.warned(report.warned, width)
    yield from failure.schemas(report.schemas, width)
    yield from gap(report.gap, width)
    yield from unjudged(report, width)
    yield from unsure(report, width)
    yield from failure.now(report, width)
    yield from failure.margins(report.margins, width)
    yield from failure.configured(report, width)
    yield from _rest(report, width)
    yield from _forced(report, width)
    yield from _next(report, width)
    yield from _verdict(report, width)


def _verdict(report: Report, width: int) -> Iterator[str]:
    yield ""
    if report.outcome is Outcome.RESTORED:
        text = _unharmed(report)
    else:
        text = f"{_how(report)}, and not everything is as before: a person is needed"
    after = f" (rollout {report.rollout}, {seconds(report.seconds)})" if report.rollout else ""
    yield from _plain(f"{text}{after}.", width)


def _unharmed(report: Report) -> str:
    names = ", ".join(dict.fromkeys(f.service for f in report.failures if f.service))
    restored = any(service.restored for service in report.services)
    restarted = [s for s in report.services if s.done and not s.target]
    came_to = [_restored(report)] if restored else []
    if restarted and (report.verb == "restart" or not (restored or names)):
        came_to.append("what was restarted runs the release it had, and is checked")
    if came_to:
        return f"{_how(report)}; {', and '.join(came_to)}"
    return f"{_how(report)} before anything{f' of {names}' if names else ''} that runs was changed"


def _how(report: Report) -> str:
    return _HOW.get(report.code, "Failed")


_HOW: Mapping[str, str] = {
    UndoRequested.code: "Aborted",
    FenceRefused.code: "Interrupted, the state is recorded",
    LockHeld.code: "It does not go on, the state is recorded",
}


def _restored(report: Report) -> str:
    removed = [item.restored == NOT_INSTALLED for item in report.undone if item.ok]
    if removed and all(removed):
        return "what was installed is removed again"
    old = "the old version is restored and checked"
    return f"{old}, and what was installed is removed again" if any(removed) else old


def _refused(report: Report, verbose: bool, width: int) -> Iterator[str]:
    if report.failures:
        yield from failure.failures(report, verbose=verbose, width=width)
    else:
        yield from head("✗", report.what or "refused", report.code, width)
    if report.evidence:
        yield from labelled("why", report.evidence, width)
    yield from failure.now(report, width)
    yield from _next(report, width)
    yield ""
    yield "Nothing was changed."


def _locked(report: Report, verbose: bool, width: int) -> Iterator[str]:
    yield from head("✗", report.what or "another rollout owns the service", report.code, width)
    if report.evidence:
        yield from labelled("owner", report.evidence, width)
    yield from _next(report, width)
    yield ""
    yield "Nothing was changed."


def _paused(report: Report, verbose: bool, width: int) -> Iterator[str]:
    yield from head("‖", f"Paused: {report.what}", width=width)
    if report.evidence:
        yield from labelled("answer", report.evidence, width)
    yield from _standing(report, verbose, width)
    yield from following(report.next or _ways(report, "go on"), width)


def _interrupted(report: Report, verbose: bool, width: int) -> Iterator[str]:
    why = f": {report.what}" if report.what else ""
    yield from head("‖", f"Interrupted{why}; the state is recorded", width=width)
    yield from _standing(report, verbose, width)
    yield from following(report.next or _ways(report, "go on where it stopped"), width)


def _ways(report: Report, on: str) -> str:
    return spelled(
        f"gapless resume {report.rollout}   {on}\n"
        f"gapless abort {report.rollout}    take back what was switched"
    )


def _standing(report: Report, verbose: bool, width: int) -> Iterator[str]:
    yield from failure.failures(report, verbose=verbose, width=width)
    yield from failure.undone(report, width)
    yield from failure.not_restored(report, width)
    yield from failure.left_out(report.left_out, width)
    yield from failure.warned(report.warned, width)
    yield from gap(report.gap, width)
    yield from unjudged(report, width)
    yield from unsure(report, width)
    yield from failure.now(report, width)
    yield from failure.margins(report.margins, width)
    yield from failure.configured(report, width)
    yield from _rest(report, width)
    yield from _forced(report, width)


def _rest(report: Report, width: int) -> Iterator[str]:
    """Who was not touched, so that nobody has to guess; services nobody asked for go without
    saying."""
    lines = []
    for service in report.services:
        if not service.of_the_plan:
            continue
        if service.waiting:
            why = f" ({service.waiting_why})" if service.waiting_why else ""
            lines.append(f"{service.name}  {hosts(service.waiting, LISTED)}: not begun{why}")
        for why, names in _by_reason(service).items():
            lines.append(f"{service.name}  {hosts(names, LISTED)}: {spelled(why)}")
    for number, line in enumerate(lines):
        yield from labelled("left" if number == 0 else "", line, width)


def _by_reason(service: ServiceReport) -> dict[str, list[str]]:
    """Hosts that are not of the plan, by why."""
    found: dict[str, list[str]] = {}
    for host in service.untouched:
        why = service.left.get(host) or service.untouched_why or "not selected"
        found.setdefault(why, []).append(host)
    return found


def _forced(report: Report, width: int) -> Iterator[str]:
    if report.force:
        yield from labelled("forced", f"health gates were skipped: {report.force}", width)


def _next(report: Report, width: int) -> Iterator[str]:
    commands = dict.fromkeys(
        [*(item.next for item in report.failures if not item.past), report.next]
    )
    told = [command for command in commands if command]
    if told:
        yield from following("\n".join(told), width)


def _verb(report: Report) -> str:
    return _DID.get(report.verb, "Done:")


_DID: Mapping[str, str] = {
    "restart": "Restarted",
    "deploy": "Deployed",
    "rollback": "Took back",
    "drain": "Drained",
    "admit": "Admitted",
}


def _plain(text: str, width: int) -> list[str]:
    return [line.removeprefix(INDENT) for line in head("", text, width=width)]


_Screen = Callable[[Report, bool, int], Iterator[str]]

_SCREENS: Mapping[Outcome, _Screen] = {
    Outcome.DONE: _done,
    Outcome.NOTHING_TO_DO: _nothing,
    Outcome.REFUSED: _refused,
    Outcome.RESTORED: _failed,
    Outcome.MIXED: _failed,
    Outcome.LOCK_HELD: _locked,
    Outcome.PAUSED: _paused,
    Outcome.INTERRUPTED: _interrupted,
}
