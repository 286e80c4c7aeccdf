"""``gapless catch-up``."""

from __future__ import annotations

import click

from gapless.cli.options import (
    Choice,
    Consent,
    Show,
    Where,
    consent_option,
    pace_option,
    services_argument,
    show_option,
    where_option,
)


@click.command("catch-up")
@services_argument
@pace_option
@consent_option
@click.option("--prove", is_flag=True, help="Measure what clients miss meanwhile.")
@click.option("--dry-run", is_flag=True, help="Show the plan only.")
@show_option
@where_option
def command(
    services: tuple[str, ...],
    choice: Choice,
    consent: Consent,
    show: Show,
    where: Where,
    *,
    prove: bool,
    dry_run: bool,
) -> int:
    """Bring to hosts that were down or failed the release they missed: the one that was verified
    last, not what the source holds now.

    SERVICES are names or globs (default: all). Hosts that still do not answer stay due; gapless
    status tells who is behind.
    """
    from gapless.cli.catching_up import catch_up

    return catch_up(where, services, choice, consent, show, prove=prove, dry_run=dry_run)
