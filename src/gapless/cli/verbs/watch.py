"""``gapless watch``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.options import Show, Where, rollout_argument, show_option, where_option


@click.command("watch")
@rollout_argument
@show_option
@where_option
def command(rollout: str | None, show: Show, where: Where) -> int:
    """Follow a rollout to its end, and end with its exit code. Ctrl-C ends only the watching."""
    from gapless.cli.watching import watch

    return asyncio.run(watch(where, rollout, show))
