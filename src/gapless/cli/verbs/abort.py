"""``gapless abort``."""

from __future__ import annotations

import click

from gapless.cli.options import Show, Where, open_rollout_argument, show_option, where_option


@click.command("abort")
@open_rollout_argument
@click.option("--reason", default="", help="Why, for the history.")
@show_option
@where_option
def command(rollout: str | None, reason: str, show: Show, where: Where) -> int:
    """End a running, paused or interrupted rollout and take back what it switched."""
    from gapless import api
    from gapless.cli.running import run_rollout
    from gapless.engine.journal import every_event

    project = where.load()
    name = api.unfinished(project, rollout).id
    watched = project.journal.is_alive(name)  # its controller is watched from the first event on
    return run_rollout(
        lambda observe, interrupts: api.abort(
            project, name, reason=reason, observer=observe, interrupts=interrupts
        ),
        show,
        project.journal.load(name)[1],
        before=() if watched else every_event(project.journal, name),
    )
