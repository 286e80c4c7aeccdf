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
    """Ask every host what runs there, since when, whether it serves and is healthy."""
    from gapless import api
    from gapless.cli.output import result, result_json
    from gapless.render.tables import render_status

    project = where.load()
    rows = asyncio.run(api.status(project, services))
    if as_json:
        result_json([row.to_json() for row in rows])
    else:
        result(render_status(rows, project.clock.now()))
    return ExitCode.DONE
