"""What decided nothing, on instances that are new all the same: no verdict is no PASS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.render.layout import WIDTH, labelled
from gapless.render.words import hosts, plural
from gapless.report.report import Report, Unjudged

_BASELINE = ", baseline "
"""What follows is in the report; a line tells how little there was."""


def unjudged(report: Report, width: int = WIDTH) -> Iterator[str]:
    """One line for each service and source."""
    groups: dict[tuple[str, str, bool], list[Unjudged]] = {}
    for item in report.unjudged:
        groups.setdefault((item.service, item.source, item.accepted), []).append(item)
    done = {service.name: len(service.done) for service in report.services}
    for number, ((service, _, _), items) in enumerate(groups.items()):
        text = f"{service}  {_line(items, done.get(service, 0))}"
        yield from labelled("" if number else "judged", text, width)


def unsure(report: Report, width: int = WIDTH) -> Iterator[str]:
    """One line for each service and answer: nobody may take it for a check that passed."""
    groups: dict[tuple[str, str], list[str]] = {}
    for item in report.unsure:
        groups.setdefault((item.service, item.answer), []).append(item.host)
    for number, ((service, answer), names) in enumerate(groups.items()):
        text = f"{service}  {answer} ({hosts(names)})"
        yield from labelled("" if number else "unsure", text, width)


def _line(items: Sequence[Unjudged], done: int) -> str:
    first, names = items[0], [item.host for item in items]
    which = f"{len(items)} of {plural(max(done, len(items)), 'instance')} ({hosts(names)})"
    by = "accepted by a person" if first.accepted else "let through by on_insufficient: pass"
    why = first.why.partition(_BASELINE)[0]
    where = f"on {first.host} " if len({item.why for item in items}) > 1 else ""
    return f"{first.source} decided nothing on {which}, {by}: {where}{why}"
