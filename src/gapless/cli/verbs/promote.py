"""``gapless promote``."""

from __future__ import annotations

import click

from gapless.cli.completing import complete_environments, complete_promotable
from gapless.cli.options import (
    Choice,
    Consent,
    Show,
    Where,
    choice_option,
    consent_option,
    show_option,
    where_option,
)


@click.command("promote")
@click.argument("what", nargs=-1, shell_complete=complete_promotable)
@click.option(
    "--from", "source", default="", metavar="ENVIRONMENT", shell_complete=complete_environments,
    help="Deploy exactly what this environment runs: WHAT are services, default all.",
)  # fmt: skip
@choice_option
@consent_option
@click.option("--prove", is_flag=True, help="Measure what clients miss meanwhile.")
@click.option("--dry-run", is_flag=True, help="With --from: show the plan only.")
@show_option
@where_option
def command(
    what: tuple[str, ...],
    source: str,
    choice: Choice,
    consent: Consent,
    show: Show,
    where: Where,
    *,
    prove: bool,
    dry_run: bool,
) -> int:
    """Let a rollout that waits for a person go on, here if nobody else works on it; or, with
    --from, deploy here what another environment runs, as it was verified there."""
    if source:
        from gapless.cli.rolling import roll

        return roll(
            "deploy", where, what, choice, consent, show,
            prove=prove, dry_run=dry_run, promote_from=source,
        )  # fmt: skip
    from gapless.cli.going_on import go_on, only_one

    rollout = only_one(what, choice, prove=prove, dry_run=dry_run)
    return go_on("promote", where, rollout, show, consent)
