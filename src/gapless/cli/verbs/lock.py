"""``gapless lock``."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gapless.cli.completing import complete_services
from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, json_option, where_option

if TYPE_CHECKING:
    from gapless.engine.journal import LockRecord, RolloutRecord
    from gapless.project import Project


@click.group("lock", invoke_without_command=True)
@json_option
@where_option
@click.pass_context
def command(ctx: click.Context, where: Where, *, as_json: bool) -> int:
    """Show who owns which service, since when and why.

    The hosts are asked, too: they know the rollouts of other controllers."""
    from gapless import api
    from gapless.cli.output import note, result, result_json
    from gapless.neighbours import of_neighbours
    from gapless.render.tables import render_locks

    ctx.obj = where
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    project = where.load()
    rows, found = api.locks(project), asyncio.run(api.locks_on_hosts(project))
    if as_json:
        own = [dataclasses.asdict(row) for row in rows]
        result_json([*own, *(dataclasses.asdict(lock) for lock in found.locks)])
        for host, why in found.silent.items():
            note(f"Not asked: {host}: {why}\n")
    else:
        now = project.clock.now()
        near = of_neighbours(project, [lock.rollout for lock in found.locks])
        waiting = _waiting(project, rows)
        result(render_locks(rows, now, waiting, found.locks, found.silent, near))
    return ExitCode.DONE


def _waiting(project: Project, rows: Sequence[LockRecord]) -> list[RolloutRecord]:
    """Rollouts that own something and wait for somebody."""
    from gapless.cli.standing import standing
    from gapless.engine.journal import RolloutState

    owners = dict.fromkeys(row.rollout for row in rows if not row.host)
    stand = [standing(project, project.journal.load(owner)[0]) for owner in owners]
    return [row for row in stand if row.state in (RolloutState.PAUSED, RolloutState.INTERRUPTED)]


@command.command("break")
@click.argument("service", shell_complete=complete_services)
@click.option("--reason", required=True, help="Why; it is kept in the history.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def break_(where: Where, service: str, reason: str, *, yes: bool) -> int:
    """Take SERVICE away from the rollout that owns it. Its controller can act no more."""
    from gapless import api
    from gapless.cli.again import again
    from gapless.cli.confirming import confirmed
    from gapless.cli.output import note
    from gapless.errors import UsageError
    from gapless.render.locks import render_broken, render_owners

    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody can be asked: this is not a terminal", next=again("--yes"))
    project = where.load()
    if not yes:
        held, on_hosts = asyncio.run(api.lock_owners(project, service))
        note(render_owners(service, held, on_hosts.locks, project.clock.now()))
        if not confirmed(f"Break the lock of {service}?"):
            return ExitCode.REFUSED
    broken = asyncio.run(api.break_lock(project, service, reason=reason))
    told = (broken.held, broken.on_hosts, broken.unreachable)
    note(render_broken(service, *told, project.clock.now()))
    return ExitCode.MIXED if broken.unreachable else ExitCode.DONE
