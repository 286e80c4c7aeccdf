"""``gapless build``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, services_argument, where_option


@click.command("build")
@services_argument
@json_option
@where_option
def command(services: tuple[str, ...], where: Where, *, as_json: bool) -> int:
    """Build what releases need, once for the same lock files, and touch no host.

    A deploy does the same first, and uses what is found here. Without SERVICES: all that have
    release.build."""
    from gapless import api
    from gapless.cli.output import result, result_json, table_width
    from gapless.cli.telling import aloud
    from gapless.render.builds import render_builds

    project = where.load()
    with aloud():
        rows = asyncio.run(api.build(project, services))
    if as_json:
        result_json([row.to_json() for row in rows])
    else:
        result(render_builds(rows, table_width()))
    return ExitCode.DONE
