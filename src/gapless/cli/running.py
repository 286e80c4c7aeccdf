"""Running a rollout in this terminal: shown while it runs, told when it is over."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Show
from gapless.cli.output import note, result, result_json, width
from gapless.cli.spelling import spelled_report
from gapless.cli.stopping import Stopping
from gapless.events.event import Event
from gapless.plans import Plan
from gapless.render.base import guarded
from gapless.render.choose import renderer
from gapless.render.result import render_report
from gapless.render.spelling import spelled
from gapless.report.report import Report

if TYPE_CHECKING:
    from gapless.engine.interrupts import Interrupts

Work = Callable[[Callable[[Event], None], "Interrupts"], Awaitable[Report]]
"""Given an observer and interrupts, does the rollout."""


def run_rollout(
    work: Work,
    show: Show,
    plan: Plan | None = None,
    runner: asyncio.Runner | None = None,
    *,
    asked: bool = False,
    before: Iterable[Event] = (),
) -> int:
    """Do it, show it, print its report; returns the exit code. ``runner`` holds what was done
    before on the same connections; ``asked``: a person at this terminal may be asked to approve;
    ``before``: events of a rollout that goes on."""
    seen: list[str] = []
    run = runner.run if runner else asyncio.run
    try:
        report = run(_run(work, show, plan, seen, before, asked=asked))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return _left(seen)
    return finish(report, show)


async def _run(
    work: Work,
    show: Show,
    plan: Plan | None,
    seen: list[str],
    before: Iterable[Event],
    *,
    asked: bool,
) -> Report:
    from gapless.cli.approving import Asking
    from gapless.engine.interrupts import Interrupts

    view = renderer(show.progress, sys.stderr, plan, before=before)
    interrupts = Interrupts(Asking(view) if asked else None)
    draw = guarded(view.observe)

    def observe(event: Event) -> None:
        if not seen and event.rollout:
            seen.append(event.rollout)
        draw(event)

    working = asyncio.ensure_future(work(observe, interrupts))
    stopping = Stopping(interrupts, view.say, working.cancel)
    try:
        with stopping.listening():
            return await working
    finally:
        view.close()


def finish(report: Report, show: Show) -> int:
    """Print the report where it belongs."""
    screen = render_report(report, verbose=show.verbose, width=width())
    if show.json:
        result_json(spelled_report(report).to_json())
        if not report.outcome.good and show.progress not in ("jsonl", "quiet"):
            note(screen)
    else:
        result(screen)
    return report.exit_code


def _left(seen: list[str]) -> int:
    rollout = seen[0] if seen else ""
    ways = spelled(f"gapless resume {rollout}   or   gapless abort {rollout}")
    note(f"‖  Left; what was done is recorded\n   next    {ways}\n")
    return ExitCode.INTERRUPTED
