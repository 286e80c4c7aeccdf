"""``gapless run rollback``."""

from __future__ import annotations

import click

from gapless.cli.options import json_option
from gapless.cli.supervised import Target, target_option
from gapless.cli.waiting import waiting_options


@click.command("rollback")
@target_option
@waiting_options
@json_option
def command(
    name: str | None, pid: int | None, timeout: float | None, *, no_wait: bool, as_json: bool
) -> int:
    """Flip back to the command, environment and settings that served before.

    Exits as gapless flip does."""
    from gapless.cli.flipping import carry_out

    target = Target(name, pid)
    return carry_out("rollback", target, wait=not no_wait, timeout=timeout, as_json=as_json)
