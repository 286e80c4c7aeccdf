"""``gapless status``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, services_argument, where_option


@click.command("status")
@services_argument
@json_option
@where_option
def command(services: tuple[str, ...], where: Where, *, as_json: bool) -> int:
    """Ask every host what runs there, since when, whether it serves and is healthy.

    Exits 0 whatever the answers are; gapless doctor judges."""
    from gapless import api
    from gapless.cli.output import result, result_json, table_width
    from gapless.cli.standing import standing
    from gapless.render.tables import render_status

    project = where.load()
    rows = asyncio.run(api.status(project, services))
    if as_json:
        result_json([row.to_json() for row in rows])
    else:
        open_ = [standing(project, row) for row in project.journal.rollouts(50, unfinished=True)]
        own = [row for row in open_ if not row.parent]
        screen = render_status(rows, project.clock.now(), own, table_width())
        result(screen)
    return ExitCode.DONE
