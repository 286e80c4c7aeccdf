"""``gapless prove``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.durations import DAY, DurationType
from gapless.cli.options import Where, json_option, where_option


@click.command("prove", context_settings={"ignore_unknown_options": True})
@click.option("--url", help="What to ask; default: the prove section of gapless.yaml.")
@click.option("--rate", type=click.FloatRange(0, 1000, min_open=True), help="Requests per second.")
@click.option(
    "--for",
    "seconds",
    type=DurationType(most=DAY),
    default="10s",
    show_default=True,
    help="How long: 10, 10s, 5m.",
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@json_option
@where_option
def command(
    argv: tuple[str, ...],
    url: str | None,
    rate: float | None,
    seconds: float,
    where: Where,
    *,
    as_json: bool,
) -> int:
    """Measure what clients miss, for a while or while ARGV runs.

    \b
    gapless prove --url http://shop.example/ -- systemctl restart shop-api

    Exits 0 when no request failed and ARGV succeeded, else 5.
    """
    from gapless.cli.proving import measure

    return asyncio.run(measure(where, url, rate, seconds, argv, as_json=as_json))
