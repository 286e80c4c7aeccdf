"""``gapless rollback``."""

from __future__ import annotations

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
@click.option(
    "--dry-run", is_flag=True, help="Show the plan only; the same as gapless plan rollback."
)
@show_option
@where_option
def command(
    target: str | None,
    hosts: str | None,
    consent: Consent,
    show: Show,
    where: Where,
    *,
    dry_run: bool,
) -> int:
    """Take back what a rollout switched, and check the old version as it was checked before.

    TARGET is a rollout's id or a service; without, the last rollout that changed anything.
    """
    from gapless.cli.going_back import go_back

    return go_back(where, target, hosts, consent, show, dry_run=dry_run)
