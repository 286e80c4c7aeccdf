"""``gapless schema``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of gapless.yaml: gapless schema > gapless.schema.json."""
    from gapless.cli.output import result_json
    from gapless.config.json_schema import json_schema

    result_json(json_schema())
    return ExitCode.DONE
