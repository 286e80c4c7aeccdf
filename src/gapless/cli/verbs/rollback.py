"""``gapless rollback``."""

from __future__ import annotations

import sys

import click

from gapless.cli.completing import complete_targets
from gapless.cli.options import (
    Consent,
    Show,
    Where,
    consent_option,
    hosts_option,
    show_option,
    where_option,
)


@click.command("rollback")
@click.argument("target", required=False, shell_complete=complete_targets)
@hosts_option
@consent_option
@show_option
@where_option
def command(
    target: str | None, hosts: str | None, consent: Consent, show: Show, where: Where
) -> int:
    """Take back what a rollout switched, and check the old version as it was checked before.

    TARGET is a rollout's id or a service; without, the last rollout that changed anything.
    """
    from gapless import api
    from gapless.cli.running import run_rollout
    from gapless.errors import UsageError

    asked = sys.stdin.isatty() and sys.stderr.isatty()
    if not (consent.yes or asked):
        raise UsageError(
            "nobody can be asked: this is not a terminal", next="gapless rollback --yes"
        )
    project = where.load()
    if not consent.yes:
        what = target or "the last rollout"
        click.confirm(f"Take {what} back{f' on {hosts}' if hosts else ''}?", abort=True, err=True)
    return run_rollout(
        lambda observe, interrupts: api.rollback(
            project,
            target,
            hosts=hosts,
            reason=consent.reason,
            observer=observe,
            interrupts=interrupts,
        ),
        show,
    )
