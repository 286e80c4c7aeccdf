"""The batches of a service in a plan, group by group, and what comes between two groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from gapless.plans import Batch
from gapless.render.layout import INDENT
from gapless.render.spelling import spelled
from gapless.render.words import hosts, plural, seconds

BATCH_LINES = 6
"""Batches shown of a group, or of a service without groups, before the middle is folded."""


def batch_lines(batches: Sequence[Batch]) -> Iterator[str]:
    """One line a batch; with groups a heading for each, and the waits in their places."""
    parts = [(group, list(part)) for group, part in groupby(batches, key=lambda b: b.group)]
    grouped = any(group for group, _ in parts)
    for number, (group, part) in enumerate(parts):
        heading = group or ("in no group" if number else "")
        if grouped and heading:
            yield heading
        indent = INDENT if grouped and heading else ""
        names = max(len(batch.name) for batch in part)
        yield from (f"{indent}{line}" for line in _folded(part, names))
        yield from (f"{indent}{'then':<{names}}  {text}" for text in _then(part[-1]))


def _then(batch: Batch) -> Iterator[str]:
    if batch.wait:
        yield f"waits {seconds(batch.wait)}"
    if batch.approve:
        yield f"waits for a person: {spelled('gapless promote')}"


def _folded(batches: Sequence[Batch], names: int) -> Iterator[str]:
    """A thousand batches do not fill a thousand lines; ``names`` columns for theirs."""
    if len(batches) <= BATCH_LINES:
        yield from (f"{batch.name:<{names}}  {hosts(batch.hosts)}" for batch in batches)
        return
    keep = BATCH_LINES - 2
    yield from (f"{batch.name:<{names}}  {hosts(batch.hosts)}" for batch in batches[:keep])
    middle = [host for batch in batches[keep:-1] for host in batch.hosts]
    yield f"{'…':<{names}}  {plural(len(batches) - keep - 1, 'more batch', 'more batches')}: " + (
        hosts(middle, 3)
    )
    yield f"{batches[-1].name:<{names}}  {hosts(batches[-1].hosts)}"
