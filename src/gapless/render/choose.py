"""Which renderer shows a rollout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from gapless.clock import Clock
from gapless.events.event import Event
from gapless.plans import Plan
from gapless.render.base import Quiet, Renderer
from gapless.render.output import Output

MODES = ("auto", "tty", "plain", "jsonl", "quiet")


def renderer(
    mode: str,
    stream: TextIO,
    plan: Plan | None = None,
    clock: Clock | None = None,
    before: Iterable[Event] = (),
) -> Renderer:
    """The renderer for a ``--progress`` mode; ``auto`` looks at the stream. ``before``: events of a
    rollout that was begun already."""
    output = Output(stream)
    if mode == "auto":
        mode = "tty" if output.terminal else "plain"
    if mode == "quiet":
        return Quiet()
    if mode == "jsonl":
        from gapless.render.jsonl import JsonLines

        return JsonLines(output)
    if mode == "tty":
        from gapless.render.live import LiveView, Screen

        return LiveView(Screen(output), plan, clock, before)
    from gapless.render.plain import Plain

    return Plain(output, plan, clock, before)
