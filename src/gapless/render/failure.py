"""The failure screen: the face of the product.

What failed; what was asked and answered; the last log lines of the new copy; what was undone and
verified; what serves now, per host; the next command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from gapless.model import AS_IT_WAS, NO_RELEASE, NOT_INSTALLED, PERHAPS_OUT, Verdict
from gapless.render.layout import INDENT, LABEL, WIDTH, block, cut, head, labelled
from gapless.render.spelling import spelled
from gapless.render.words import back_to, clean, clock_time, hosts, in_order, plural, seconds
from gapless.report.report import (
    Failure,
    LeftOut,
    Margin,
    Report,
    SchemaBack,
    ServiceReport,
    Undone,
    Warned,
)

LOG_LINES = 5
FAILURES = 4
FILES = 4
NOT_TOUCHED = "not touched"
UNKNOWN = "unknown"


def failures(report: Report, *, verbose: bool = False, width: int = WIDTH) -> Iterator[str]:
    """Each failure with its evidence; the same failure on many hosts is told once."""
    groups = _grouped(report.failures)
    for failure, where in groups[: None if verbose else FAILURES]:
        yield from _failure(failure, where, verbose, width)
        yield from log(failure.log, verbose, width, rollout=report.rollout)
    hidden = sum(len(where) for _, where in groups[FAILURES:])
    if hidden and not verbose:
        yield f"{INDENT}… and {plural(hidden, 'more failure')} (all: -v)"


def _grouped(items: tuple[Failure, ...]) -> list[tuple[Failure, list[str]]]:
    groups: dict[tuple[str, str, str, str], tuple[Failure, list[str]]] = {}
    for item in items:
        key = (item.service, item.step, item.code, item.what.replace(item.host or "\0", ""))
        groups.setdefault(key, (item, []))[1].append(item.host)
    return list(groups.values())


def _failure(failure: Failure, where: list[str], verbose: bool, width: int) -> Iterator[str]:
    yield from head("✗", _what(failure, where), failure.code, width)
    if failure.kind and failure.kind not in ("failed", "timed out"):
        yield from labelled("kind", f"{failure.kind}, not a failed check", width)
    if failure.verdict is not None:
        yield from probe(failure.verdict, width)
    if failure.evidence and not _said(failure):
        yield from labelled("answer", failure.evidence, width)


def _what(failure: Failure, where: list[str]) -> str:
    machines = hosts([host for host in where if host])
    place = f"{failure.service} on {machines}" if machines else failure.service
    during = f" during {failure.step}" if failure.step not in ("", "ready") else ""
    when = f" (at {clock_time(failure.at)}, before it went on)" if failure.past else ""
    return f"{place}{during}: {failure.what}{when}"


def _said(failure: Failure | Undone) -> bool:
    """Whether the evidence only repeats the verdict."""
    return failure.verdict is not None and failure.evidence in str(failure.verdict)


def probe(verdict: Verdict, width: int = WIDTH) -> list[str]:
    """What was asked, what came back, what was wanted."""
    told = str(replace(verdict, wanted=spelled(verdict.wanted)))
    if verdict.status.value == "INCONCLUSIVE":
        told += " — no answer is not a pass"
    return labelled("probe", told, width)


def log(
    lines: tuple[str, ...], verbose: bool, width: int = WIDTH, *, rollout: str = ""
) -> list[str]:
    """The last lines the new copy wrote, newest last; those that only tell of its starts and ends
    give way to its own. The history of ``rollout`` has all."""
    if not lines:
        return []
    room = width - len(INDENT) - LABEL
    shown = lines if verbose else _last_words(lines)
    hidden = len(lines) - len(shown)
    word = "earlier" if shown == lines[hidden:] else "more"
    told = [clean(line) if verbose else cut(_short(clean(line)), room) for line in shown]
    where = spelled(f"gapless history {rollout}") if rollout else "-v"
    return block("log", [*told, *([f"({hidden} {word}: {where})"] if hidden else [])])


def _last_words(lines: tuple[str, ...]) -> tuple[str, ...]:
    own = [number for number, line in enumerate(lines) if not _OF_SYSTEMD.search(line)]
    rest = [number for number in range(len(lines)) if number not in own]
    own = own[-LOG_LINES:]
    room = LOG_LINES - len(own)
    return tuple(lines[number] for number in sorted([*own, *(rest[-room:] if room else ())]))


_OF_SYSTEMD = re.compile(r"^\S+ \S+ systemd\[\d+\]: ")
"""What the service manager wrote about the unit, as journalctl shows it."""


_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)[+-]\d\d:?\d\d \S+ (?=[^\s\[]+\[\d+\]: )")
"""Date, zone and host, which journalctl puts in front of each line; the screen names the host."""


def _short(line: str) -> str:
    """With nothing but the time of day in front."""
    return _PREFIX.sub(r"\1 ", line)


def undone(report: Report, width: int = WIDTH) -> Iterator[str]:
    """What went back, and that it was asked again."""
    lines = [_back(item) for item in report.undone if item.ok]
    for number, line in enumerate(_joined(lines)):
        yield from labelled("undone" if number == 0 else "", line, width)


def _back(item: Undone) -> tuple[str, str, float]:
    if item.restored == NOT_INSTALLED:
        return item.host, f"{item.service}: removed, as it was not there before", item.seconds
    if item.restored == "nothing to restore":
        return item.host, f"{item.service}: nothing to restore", item.seconds
    where = back_to(item.restored or AS_IT_WAS)
    back = where if item.went_on else f"back {where}"
    back += ", as before" if item.restored == NO_RELEASE else ""
    back += ", its old copy never stopped" if item.went_on else ""
    asked = f", {item.verdict}" if item.verdict and item.verdict.passed else ", checked again"
    return item.host, f"{item.service} {back}{asked}", item.seconds


def _joined(lines: list[tuple[str, str, float]]) -> list[str]:
    """The same way back on many hosts is one line, with the longest time of them."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for host, text, took in lines:
        groups.setdefault(text, []).append((host, took))
    return [
        f"{hosts(host for host, _ in group)}  {text}{_took(max(took for _, took in group))}"
        for text, group in groups.items()
    ]


def _took(value: float) -> str:
    return f", in {seconds(value)}" if value else ""


def not_restored(report: Report, width: int = WIDTH) -> Iterator[str]:
    """What did not go back, why, and what a person types."""
    for item in report.undone:
        if item.ok:
            continue
        what = f"{item.service} on {item.host}: the way back failed: {item.what or 'unknown why'}"
        yield from head("✗", what, "GL-407", width)
        if item.verdict is not None:
            yield from probe(item.verdict, width)
        if item.evidence and not _said(item):
            yield from labelled("answer", item.evidence, width)
        if item.manual:  # never wrapped: they are meant to be copied
            yield from block("manual", (f"$ {spelled(c)}" for c in item.manual))


def schemas(items: tuple[SchemaBack, ...], width: int = WIDTH) -> Iterator[str]:
    """What became of the data of services that went back."""
    for number, item in enumerate(items):
        yield from labelled("" if number else "schema", f"{item.service}  {_became(item)}", width)


def _became(item: SchemaBack) -> str:
    if item.bumped is not None:
        return f"{item.was} stays, old releases bumped to {item.bumped}"
    was = f"from {item.was} " if item.was is not None else ""
    return item.why or f"taken back {was}to {item.to}"


def left_out(items: tuple[LeftOut, ...], width: int = WIDTH) -> Iterator[str]:
    """Instances kept out of traffic, with the command that ends it; in the order of their hosts,
    for they ended as each came to it."""
    services = [item.service for item in items]
    for item in sorted(items, key=lambda one: (services.index(one.service), in_order(one.host))):
        why = f": {item.why}" if item.why else ""
        text = f"{item.service} on {item.host} is left out of {item.balancer or 'traffic'}{why}"
        yield from labelled("out", text, width)
        if item.next:
            yield from block("", [f"$ {spelled(item.next)}"])


def warned(items: tuple[Warned, ...], width: int = WIDTH) -> Iterator[str]:
    """What went wrong and stopped nothing, as it came."""
    for number, item in enumerate(items):
        text = f"{item.service} on {item.host}: {item.why}"
        yield from labelled("" if number else "warning", text, width)


def margins(items: tuple[Margin, ...], width: int = WIDTH) -> Iterator[str]:
    """How much more each cluster bears."""
    lines = [f"{item.service}  {line}" for item in items for line in item.lines]
    for number, line in enumerate(lines):
        yield from labelled("" if number else "margin", line, width)


def now(report: Report, width: int = WIDTH) -> Iterator[str]:
    """What serves now, per host."""
    first = True
    taken = "restarted" if report.verb == "restart" and not report.outcome.good else ""
    for service in report.services:
        text = _serving(service, taken)
        if text:
            yield from labelled("now" if first else "", f"{service.name}  {text}", width)
            first = False


def configured(report: Report, width: int = WIDTH) -> Iterator[str]:
    """Which hosts have new configuration files, or those from before again: the release may be the
    same."""
    word = "as before" if report.verb == "rollback" else "changed"
    lines = []
    for service in report.services:
        groups: dict[tuple[str, ...], list[str]] = {}
        for host, files in service.files.items():
            groups.setdefault(files, []).append(host)
        for files, names in groups.items():
            shown = ", ".join(files[:FILES])
            more = f" and {len(files) - FILES} more" if len(files) > FILES else ""
            lines.append(f"{service.name}  {hosts(names)}: {shown}{more} {word}")
    for number, line in enumerate(lines):
        yield from labelled("" if number else "config", line, width)


def _serving(service: ServiceReport, taken: str) -> str:
    if service.skipped and not service.serving:
        return f"not begun: {service.skipped}"
    groups: dict[str, list[str]] = {}
    for host, version in service.serving.items():
        groups.setdefault(version, []).append(host)
    text = "   ".join(f"{v}: {_marked(v, names, service, taken)}" for v, names in groups.items())
    return f"{text}   (not begun: {service.skipped})" if service.skipped else text


def _marked(version: str, names: list[str], service: ServiceReport, taken: str) -> str:
    """Hosts by what happened to them; those that simply got the new version bear no mark, and
    where there is no new version ``taken``, unless that is said already."""
    taken = "" if taken == version else taken
    marks = (taken, "", "restored", "not restored", "not changed", NOT_TOUCHED)
    told: dict[str, list[str]] = {mark: [] for mark in marks}
    for name in names:
        mark = _mark(name, service) if version not in (NOT_TOUCHED, PERHAPS_OUT) else ""
        if version == UNKNOWN and name in service.kept:
            mark = ""  # nobody knows what it is that was not changed
        told[taken if mark == "" and name in service.done else mark].append(name)
    return ", ".join(
        hosts(group) + (f" ({mark})" if mark else "") for mark, group in told.items() if group
    )


def _mark(name: str, service: ServiceReport) -> str:
    if name in service.restored:
        return "restored"
    if name in service.failed:
        return "not restored"
    if name in service.kept:
        return "not changed"
    return "" if name in service.done else NOT_TOUCHED
