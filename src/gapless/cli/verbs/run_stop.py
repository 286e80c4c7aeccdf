"""``gapless run stop``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.supervised import Target, target_option
from gapless.cli.waiting import waiting_options


@click.command("stop")
@target_option
@waiting_options
def command(name: str | None, pid: int | None, timeout: float | None, *, no_wait: bool) -> int:
    """Stop a process and its supervisor, and wait until both have ended.

    All its copies are told to stop, and have the time that stop says. Exits 7 when it still runs
    after --timeout."""
    from gapless.cli.output import note, result
    from gapless.cli.supervised import ask, called, connected, gone
    from gapless.render.flip import render_stop

    wanted = Target(name, pid).resolve()
    with connected(wanted) as control:
        ended = gone(control)
    told = called(wanted)
    ask(wanted, "stop", timeout=timeout)
    if no_wait or ended(timeout):
        result(render_stop(told, done=not no_wait))
        return ExitCode.DONE
    note(render_stop(told, done=False))
    return ExitCode.PAUSED
