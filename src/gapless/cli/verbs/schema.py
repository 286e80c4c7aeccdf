"""``gapless schema``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode


@click.command("schema")
@click.option("--run", is_flag=True, help="Of a run file, which gapless run -c reads.")
def command(run: bool) -> int:
    """Print the JSON Schema of gapless.yaml: gapless schema > gapless.schema.json."""
    from gapless.cli.output import result_json
    from gapless.config.json_schema import json_schema
    from gapless.config.run_schema import run_schema

    result_json(run_schema() if run else json_schema())
    return ExitCode.DONE
