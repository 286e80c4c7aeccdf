"""``gapless lock``."""

from __future__ import annotations

import asyncio
import dataclasses
import sys

import click

from gapless.cli.completing import complete_services
from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, where_option


@click.group("lock", invoke_without_command=True)
@json_option
@where_option
@click.pass_context
def command(ctx: click.Context, where: Where, *, as_json: bool) -> int:
    """Show who owns which service, since when and why."""
    from gapless import api
    from gapless.cli.output import result, result_json
    from gapless.cli.spelling import spelled
    from gapless.render.tables import render_locks

    ctx.obj = where
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    project = where.load()
    rows = api.locks(project)
    if as_json:
        result_json([dataclasses.asdict(row) for row in rows])
    else:
        result(spelled(render_locks(rows, project.clock.now())))
    return ExitCode.DONE


@command.command("break")
@click.argument("service", shell_complete=complete_services)
@click.option("--reason", required=True, help="Why; it is kept in the history.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def break_(where: Where, service: str, reason: str, *, yes: bool) -> int:
    """Take SERVICE away from the rollout that owns it. Its controller can act no more."""
    from gapless import api
    from gapless.cli.output import note
    from gapless.errors import UsageError

    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "nobody can be asked: this is not a terminal",
                next=f"gapless lock break {service} --reason … --yes",
            )
        click.confirm(f"Break the lock of {service}?", abort=True, err=True)
    broken = asyncio.run(api.break_lock(where.load(), service, reason=reason))
    held = broken.held
    note(
        f"The lock of {service} is broken; rollout {held.rollout} of {held.owner} had it.\n"
        if held
        else f"Nobody here owned {service}; its hosts were told all the same.\n"
    )
    if not broken.unreachable:
        return ExitCode.DONE
    hosts = ",".join(broken.unreachable)
    note(
        f"Not reached, and so still obeying the lock they know: {hosts}\n"
        f"   next    gapless doctor --hosts {hosts}, then the same command again\n"
    )
    return ExitCode.MIXED
