"""``gapless init``."""

from __future__ import annotations

import click

from gapless.cli.options import CONFIG


@click.command("init")
@click.option("--project", help="Its name.")
@click.option("--host", "hosts", multiple=True, help="A machine or range; none: this one.")
@click.option("--unit", "units", multiple=True, help="A systemd unit; may be repeated.")
@click.option(
    "--health",
    "health",
    multiple=True,
    help="URL, host:port or command that tells it is healthy; UNIT=URL with several units.",
)
@click.option("--haproxy", help="Socket of HAProxy's runtime API; empty for none.")
@click.option("--user", default="", help="Who logs in.")
@click.option("-c", "--config", default=CONFIG, show_default=True, help="File to write.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; guess what was not given.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def command(
    project: str | None,
    hosts: tuple[str, ...],
    units: tuple[str, ...],
    health: tuple[str, ...],
    haproxy: str | None,
    user: str,
    config: str,
    *,
    yes: bool,
    overwrite: bool,
) -> int:
    """Ask five questions and write a commented gapless.yaml that passes gapless check."""
    from gapless.cli.asking import Given, write

    given = Given(project, hosts, units, health, haproxy, user)
    return write(given, config, ask=not yes, overwrite=overwrite)
