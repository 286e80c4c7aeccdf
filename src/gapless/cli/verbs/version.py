"""``gapless version``."""

from __future__ import annotations

import click

from gapless import __version__
from gapless.cli.exit_codes import ExitCode


@click.command("version")
def command() -> int:
    """Print the version."""
    click.echo(f"gapless {__version__}")
    return ExitCode.DONE
