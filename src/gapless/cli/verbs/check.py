"""``gapless check``."""

from __future__ import annotations

from pathlib import Path

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, where_option


@click.command("check")
@json_option
@where_option
def command(where: Where, *, as_json: bool) -> int:
    """Check the configuration and tell every problem as file:line:column. Asks no host."""
    from gapless.cli.output import result, result_json
    from gapless.config.source import check_config, load_config
    from gapless.errors import ConfigError
    from gapless.render.tables import render_check

    if where.environment is None and (problems := check_config(where.config)):
        raise ConfigError(problems)
    loaded = load_config(where.config, where.environment or _first(where.config))
    config = loaded.project
    if as_json:
        result_json({"project": config.project, "problems": [], "exit_code": 0})
    else:
        result(render_check(config.project, len(config.services), len(config.hosts), where.config))
    return ExitCode.DONE


def _first(path: str | Path) -> str | None:
    """A file may be whole only with one of its environments."""
    from gapless.config.source import environment_names

    return next(iter(environment_names(path)), None)
