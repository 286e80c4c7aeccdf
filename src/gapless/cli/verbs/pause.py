"""``gapless pause``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, open_rollout_argument, where_option


@click.command("pause")
@open_rollout_argument
@where_option
def command(rollout: str | None, where: Where) -> int:
    """Begin no new instance; those under way are finished."""
    from gapless import api
    from gapless.cli.output import note
    from gapless.cli.standing import standing
    from gapless.engine.journal import RolloutState
    from gapless.render.spelling import spelled
    from gapless.render.tables import render_waiting

    project = where.load()
    record = standing(project, api.unfinished(project, rollout))
    if record.state in (RolloutState.PAUSED, RolloutState.INTERRUPTED):
        note(render_waiting(record))
        return ExitCode.DONE
    name = api.signal(project, record.id, "pause")
    note(spelled(f"Asked rollout {name} to pause; go on with: gapless resume {name}\n"))
    return ExitCode.DONE
