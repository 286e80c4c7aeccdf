"""``gapless check``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, where_option


@click.command("check")
@json_option
@where_option
def command(where: Where, *, as_json: bool) -> int:
    """Check the configuration and tell every problem as file:line:column. Asks no host."""
    from gapless.cli.output import result, result_json
    from gapless.cli.spelling import spelled
    from gapless.config.checking import checked
    from gapless.drivers.config_files.checking import template_problems
    from gapless.render.tables import render_check

    config = checked(where.config, where.environment, (template_problems,)).project
    if as_json:
        result_json({"project": config.project, "problems": [], "exit_code": 0})
    else:
        counts = len(config.services), len(config.hosts)
        result(spelled(render_check(config.project, *counts, where.config)))
    return ExitCode.DONE
