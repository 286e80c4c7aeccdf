"""``gapless events``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, rollout_argument, where_option


@click.command("events")
@rollout_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the rollout ends.")
@click.option("--after", type=int, default=0, help="Only events with a higher number.")
@click.option("--type", "types", multiple=True, help="Only this type or prefix; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="The events themselves, one a line.")
@where_option
def command(
    rollout: str | None,
    after: int,
    types: tuple[str, ...],
    where: Where,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Show what happened in ROLLOUT, by default the newest, event by event."""
    from gapless.cli import following
    from gapless.cli.listing import EventLines, refuse_unknown_types

    refuse_unknown_types(types)
    project = where.load()
    name = following.newest(project, rollout)
    lines = EventLines(types, as_json=as_json)
    if follow:
        asyncio.run(following.follow(project, name, lines.show, after))
        return ExitCode.DONE
    while batch := project.journal.events(name, after=after):
        for event in batch:
            lines.show(event)
        after = batch[-1].seq
    return ExitCode.DONE
