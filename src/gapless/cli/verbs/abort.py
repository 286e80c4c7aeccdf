"""``gapless abort``."""

from __future__ import annotations

import click

from gapless.cli.options import Show, Where, open_rollout_argument, show_option, where_option


@click.command("abort")
@open_rollout_argument
@show_option
@where_option
def command(rollout: str | None, show: Show, where: Where) -> int:
    """End a running, paused or interrupted rollout and take back what it switched."""
    from gapless import api
    from gapless.cli.running import run_rollout

    project = where.load()
    return run_rollout(
        lambda observe, interrupts: api.abort(
            project, rollout, observer=observe, interrupts=interrupts
        ),
        show,
    )
