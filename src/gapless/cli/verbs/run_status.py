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

    Without NAME all are shown; --json is then a list. Exits 3 when there is no NAME, 5 when one
    does not answer or cannot be asked."""
    from gapless.cli.output import complain, note, result, result_json, table_width
    from gapless.cli.supervised import answering, ended, living
    from gapless.cli.unreachable import Unknown, elsewhere
    from gapless.errors import Refused
    from gapless.render.flip import render_processes

    target = Target(name, pid)
    if target.named:
        wanted = target.resolve()
        found = answering(wanted)
        if found is None:
            told = f"{wanted}: the supervisor ended before it answered"
            raise Unknown(told, next="gapless run status")
        result_json(found) if as_json else result(render_processes([found], table_width()))
        return ExitCode.DONE
    known, unknown = [], []
    for one in living():
        try:
            known.append(answering(one))
        except Refused as why:
            if one in living():  # it has not just ended
                unknown.append(why)
    there = [one for one in known if one is not None]
    if as_json:
        result_json(there)
    elif there or not unknown:
        result(render_processes(there, table_width(), ended()))
        if not there and (other := elsewhere("")):
            note(f"What root supervises: {other}\n")
    for error in unknown:
        complain(error)
    return ExitCode.MIXED if unknown else ExitCode.DONE
