"""One picture of a running rollout: always the same number of rows, whatever the fleet's size.

header      verb, project, who, why, time
counters    one bar with numbers, and the gap while it is measured
tree        the batches under way: host > step > last answer
failures    pinned
last line   the last thing that happened
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gapless.render.layout import WIDTH, cut
from gapless.render.words import about, clean, hosts, plural, seconds
from gapless.report.progress import InstanceProgress, Progress, ServiceProgress, Stage
from gapless.report.report import Failure

FAILURE_ROWS = 3
FIXED_ROWS = 3
"""Header, counters, last line."""

TREE_ROWS = 10
LEAST_TREE_ROWS = 2
BAR = 20
LEAST_BAR = 5


class Tone(StrEnum):
    """What a row means; colour is chosen from it, and every meaning is in its words as well."""

    TITLE = "title"
    NORMAL = "normal"
    DIM = "dim"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture."""

    text: str
    tone: Tone = Tone.NORMAL


def frame(
    progress: Progress, last: str, now: float, *, width: int = WIDTH, height: int = 24
) -> tuple[Row, ...]:
    """The picture at ``now``."""
    tree_rows = max(LEAST_TREE_ROWS, min(TREE_ROWS, height - FIXED_ROWS - FAILURE_ROWS - 1))
    rows = [
        Row(_header(progress, now), Tone.TITLE),
        Row(_counters(progress, width)),
        *_filled(list(_tree(progress, now, tree_rows)), tree_rows),
        *_filled(list(_pinned(progress)), FAILURE_ROWS),
        Row(last, Tone.DIM),
    ]
    return tuple(Row(cut(clean(row.text), width), row.tone) for row in rows)


def _filled(rows: list[Row], count: int) -> list[Row]:
    return [*rows[:count], *[Row("")] * (count - len(rows))]


def _header(progress: Progress, now: float) -> str:
    plan = progress.plan
    names = plan.project if plan else ", ".join(progress.services)
    where = f" ({plan.environment})" if plan and plan.environment else ""
    spent = seconds(max(0.0, now - progress.started)) if progress.started else "0 s"
    limit = f" of {about(progress.expected)}" if progress.expected else ""
    words = [f"{progress.verb or 'rollout'} {names}{where}", progress.rollout, spent + limit]
    words += [f"by {progress.actor}" if progress.actor else "", progress.reason]
    words += ["FORCED" if progress.force else ""]
    paused = f"PAUSED: {progress.paused}" if progress.paused else ""
    return "  ".join(word for word in (paused, *words) if word)


def _counters(progress: Progress, width: int) -> str:
    """The bar gives way to the numbers: they are what matters."""
    told = _counts(progress)
    bar = _bar(progress, min(BAR, width - len(told) - 1))
    return f"{bar} {told}" if bar else told


def _bar(progress: Progress, room: int) -> str:
    total = len(progress.instances)
    filled = room * progress.count(Stage.DONE) // total if total and room >= LEAST_BAR else 0
    return "█" * filled + "░" * (room - filled) if room >= LEAST_BAR else ""


def _counts(progress: Progress) -> str:
    total, done = len(progress.instances), progress.count(Stage.DONE)
    counts = {
        "under way": progress.count(Stage.RUNNING),
        "failed": progress.count(Stage.FAILED, Stage.KEPT, Stage.LOST),
        "going back": progress.count(Stage.UNDOING),
        "restored": progress.count(Stage.RESTORED),
        "waiting": progress.count(Stage.WAITING),
    }
    told = "".join(f", {n:,} {word}" for word, n in counts.items() if n)
    return f"{done:,} of {plural(total, 'instance')} done{told}{_gap(progress)}"


def _gap(progress: Progress) -> str:
    gap = progress.gap
    if gap is None:
        return ""
    longest = max(gap.longest_silence, *(one.longest_gap for one in gap.workloads), 0.0)
    failed = gap.failed + sum(one.failed for one in gap.workloads)
    asked = gap.sent + sum(one.operations for one in gap.workloads)
    return f"   gap {seconds(longest)}, {failed:,} of {asked:,} failed"


def _tree(progress: Progress, now: float, rows: int) -> Iterator[Row]:
    busy = [(s, _busy(progress, s.name)) for s in progress.services.values()]
    busy = [(service, items) for service, items in busy if items]
    room = max(1, rows // max(1, len(busy)) - 1)
    for service, items in busy:
        yield Row(_batch(service))
        shown = items if len(items) <= room else items[: room - 1]
        for item in shown:
            yield Row(_leaf(item, now, last=item is items[-1]))
        if len(items) > len(shown):
            yield Row(f"└ {_rest(items[len(shown) :])}", Tone.DIM)


def _busy(progress: Progress, service: str) -> list[InstanceProgress]:
    """Instances under way, the longest wait first."""
    items = [i for i in progress.of(service) if i.stage in (Stage.RUNNING, Stage.UNDOING)]
    return sorted(items, key=lambda item: item.since)


def _batch(service: ServiceProgress) -> str:
    number = f" ({service.begun} of {service.batches})" if service.batches > 1 else ""
    return f"{service.name}  {service.batch}{number}".rstrip()


def _leaf(item: InstanceProgress, now: float, *, last: bool) -> str:
    back = "going back, " if item.stage is Stage.UNDOING else ""
    spent = seconds(max(0.0, round(now - item.since, 1)))
    line = f"{'└' if last else '├'} {item.host:<12} {back}{item.step:<10} {spent:>8}"
    answer = "connection lost, trying again" if item.away else item.answer
    return f"{line}  {answer}".rstrip()


def _rest(items: list[InstanceProgress]) -> str:
    counts = Counter("going back" if i.stage is Stage.UNDOING else i.step for i in items)
    steps = ", ".join(f"{count} in {step}" for step, count in counts.most_common())
    return f"and {len(items):,} more: {steps}"


def _pinned(progress: Progress) -> Iterator[Row]:
    """The newest failures, and how many there are when they do not fit."""
    shown = progress.failures[-FAILURE_ROWS:]
    if len(progress.failures) > FAILURE_ROWS:
        shown = progress.failures[-(FAILURE_ROWS - 1) :]
        earlier = progress.failures[: -(FAILURE_ROWS - 1)]
        yield Row(f"✗ {len(earlier):,} earlier: {hosts(f.host for f in earlier)}", Tone.BAD)
    for failure in shown:
        yield Row(_failed(failure), Tone.BAD)


def _failed(failure: Failure) -> str:
    code = f"{failure.code} " if failure.code else ""
    asked = f" — {failure.verdict}" if failure.verdict else ""
    return f"✗ {code}{failure.service} on {failure.host or '-'}: {failure.what}{asked}"
