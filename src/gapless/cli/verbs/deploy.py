"""``gapless deploy``."""

from __future__ import annotations

import click

from gapless.cli.options import (
    Choice,
    Consent,
    Show,
    Where,
    choice_option,
    consent_option,
    services_argument,
    show_option,
    where_option,
)


@click.command("deploy")
@services_argument
@choice_option
@consent_option
@click.option("--prove", is_flag=True, help="Measure what clients miss meanwhile.")
@click.option(
    "--dry-run", is_flag=True, help="Show the plan only; the same as gapless plan deploy."
)
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
    """Bring the new release to services, migrate, and switch to it, one batch after another.

    SERVICES are names or globs (default: all), or one plan written by gapless plan -o FILE.json.
    """
    from gapless.cli.rolling import roll

    return roll("deploy", where, services, choice, consent, show, prove=prove, dry_run=dry_run)
