"""``gapless history``."""

from __future__ import annotations

import dataclasses

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, rollout_argument, where_option


@click.command("history")
@rollout_argument
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many."
)
@json_option
@where_option
def command(rollout: str | None, limit: int, where: Where, *, as_json: bool) -> int:
    """List rollouts, newest first; with ROLLOUT show the report of that one."""
    from gapless import api
    from gapless.cli.output import result, result_json, table_width, width
    from gapless.cli.spelling import spelled_report
    from gapless.cli.standing import standing
    from gapless.render.result import render_report
    from gapless.render.tables import render_history

    project = where.load()
    if rollout:
        report = api.report_of(project, rollout)
        if as_json:
            result_json(spelled_report(report).to_json())
        else:
            result(render_report(report, verbose=True, width=width()))
        return ExitCode.DONE
    rows = project.journal.rollouts(limit)
    if as_json:
        result_json([dataclasses.asdict(row) for row in rows])
    else:
        stand = [standing(project, row) for row in rows]
        result(render_history(stand, project.clock.now(), table_width()))
    return ExitCode.DONE
