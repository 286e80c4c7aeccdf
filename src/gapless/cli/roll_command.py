"""The command that ``restart`` and ``deploy`` are: the same options, another verb."""

from __future__ import annotations

from typing import Literal

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


def roll_command(verb: Literal["restart", "deploy"], does: str) -> click.Command:
    """The command ``gapless VERB``; ``does`` is the first sentence of its help."""

    @click.command(verb, help=f"{does}\n\n{_SERVICES}")
    @services_argument
    @choice_option
    @consent_option
    @click.option("--prove", is_flag=True, help="Measure what clients miss meanwhile.")
    @click.option(
        "--dry-run", is_flag=True, help=f"Show the plan only; the same as gapless plan {verb}."
    )
    @click.option(
        "--resume",
        is_flag=True,
        help=f"Go on with the unfinished {verb} of these services where it stopped.",
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
        resume: bool,
    ) -> int:
        from gapless.cli.resuming import take_up
        from gapless.cli.rolling import roll

        begin = take_up if resume else roll
        return begin(verb, where, services, choice, consent, show, prove=prove, dry_run=dry_run)

    return command


_SERVICES = (
    "SERVICES are names or globs (default: all), or one plan written by gapless plan -o FILE.json."
)
