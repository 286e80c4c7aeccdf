"""What a person should know of commands that did what they were to do."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.engine.context import InstanceContext
from gapless.model import Settled
from gapless.plans import StepKind


def tell_remarks(ctx: InstanceContext, kind: StepKind, settled: Settled) -> None:
    """Each as an event of its own: a line of output that is marked as one."""
    for why in _remarks(settled):
        ctx.emit("instance.warned", kind, why=why)


def _remarks(settled: Settled) -> Iterator[str]:
    for line in (line for done in settled.completed for line in done.stdout.splitlines()):
        if line.startswith(_MARK):
            yield line[len(_MARK) :]


_MARK = "note: "
