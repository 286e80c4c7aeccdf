"""Following a rollout from another terminal: the same view, the same report."""

from __future__ import annotations

import sys

from gapless.cli.following import follow, newest
from gapless.cli.options import Show, Where
from gapless.cli.running import finish
from gapless.render.base import guarded
from gapless.render.choose import renderer


async def watch(where: Where, rollout: str | None, show: Show) -> int:
    """Show it until it is over; returns its exit code."""
    from gapless import api

    project = where.load()
    name = newest(project, rollout)
    _, plan = project.journal.load(name)
    view = renderer(show.progress, sys.stderr, plan)
    try:
        await follow(project, name, guarded(view.observe))
    finally:
        view.close()
    return finish(api.report_of(project, name), show)
