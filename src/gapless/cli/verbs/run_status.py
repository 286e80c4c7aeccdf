"""``gapless run status``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import json_option
from gapless.cli.supervised import Target, target_option


@click.command("status")
@target_option
@json_option
def command(name: str | None, pid: int | None, *, as_json: bool) -> int:
    """Show the copies of supervised processes: which serves, which is new, which are ending.

    Without NAME all are shown; --json is then a list."""
    from gapless.cli.output import note, result, result_json, table_width
    from gapless.cli.supervised import ask, called, status_of
    from gapless.render.flip import render_outcome, render_processes
    from gapless.supervisor import rundir

    target = Target(name, pid)
    if target.named:
        wanted = target.resolve()
        found = [ask(wanted, "status", timeout=10.0)]
        if "state" not in found[0]:
            note(render_outcome("status", called(wanted), found[0], None))
            return int(found[0]["code"])
    else:
        found = [one for one in map(status_of, rundir.living()) if one is not None]
    if as_json:
        result_json(found[0] if target.named else found)
    else:
        result(render_processes(found, table_width()))
    return ExitCode.DONE
