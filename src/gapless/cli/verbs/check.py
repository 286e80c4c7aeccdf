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
    from gapless.config.checking import checked, needs_environment
    from gapless.drivers.config_files.checking import template_problems
    from gapless.render.tables import render_check

    found = checked(where.config, where.environment, (template_problems,))
    name = found[0].project.project
    if as_json:
        result_json({"project": name, "problems": [], "exit_code": 0})
    else:
        counts = {
            one.environment: (len(one.project.services), len(one.project.hosts)) for one in found
        }
        choose = where.environment is None and needs_environment(where.config)
        doctor = f"gapless doctor -e {found[0].environment}" if choose else "gapless doctor"
        result(render_check(name, counts, where.config, doctor))
    return ExitCode.DONE
