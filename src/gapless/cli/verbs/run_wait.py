"""``gapless run wait``."""

from __future__ import annotations

import click

from gapless.cli.options import json_option
from gapless.cli.supervised import Target, target_option
from gapless.cli.waiting import timeout_option


@click.command("wait")
@target_option
@timeout_option
@json_option
def command(name: str | None, pid: int | None, timeout: float | None, *, as_json: bool) -> int:
    """Wait until no flip is under way, and tell what came of the last one.

    Exits as gapless flip does; 0 when there was none."""
    from gapless.cli.flipping import carry_out

    return carry_out("wait", Target(name, pid), wait=True, timeout=timeout, as_json=as_json)
