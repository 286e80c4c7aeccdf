"""``gapless flip``."""

from __future__ import annotations

import click

from gapless.cli.options import json_option
from gapless.cli.supervised import Target, target_option
from gapless.cli.waiting import waiting_options


@click.command("flip")
@target_option
@waiting_options
@json_option
def command(
    name: str | None, pid: int | None, timeout: float | None, *, no_wait: bool, as_json: bool
) -> int:
    """Replace a process that gapless run supervises by a new copy, without losing a request.

    The run file and its environment files are read again. The old copy is told to stop when the
    new one is ready and has stayed so for the settle time; until then nothing happens to it.

    \b
    gapless flip web
    ExecReload=gapless flip --pid $MAINPID

    NAME may be left out when only one process is supervised. Exits 0 when it was flipped, 3 when
    nobody is there, 4 when the new copy failed and the old one goes on serving, 5 when nothing
    serves or the supervisor does not answer, 7 when it is not done within --timeout.
    """
    from gapless.cli.flipping import carry_out

    target = Target(name, pid)
    return carry_out("flip", target, wait=not no_wait, timeout=timeout, as_json=as_json)
