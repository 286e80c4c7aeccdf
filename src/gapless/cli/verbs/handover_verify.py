"""``gapless handover verify``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.durations import DurationType
from gapless.cli.options import json_option

_LONGEST = 600.0


@click.command("verify", context_settings={"allow_interspersed_args": False})
@click.option(
    "--case", "names", multiple=True, metavar="NAME", help="Only this one; several are fine."
)
@click.option(
    "--gateway-env",
    metavar="NAME",
    help="Variable that tells the program where the gateway is, HOST:PORT.",
)
@click.option(
    "--lock",
    metavar="KIND",
    default="sqlite",
    show_default=True,
    help="Where copies keep claims: sqlite, dir or a url such as redis://127.0.0.1/0.",
)
@click.option(
    "--timeout",
    type=DurationType(most=_LONGEST),
    default="15s",
    metavar="TIME",
    show_default=True,
    help="How long a copy may take to be ready, or to do what it is asked.",
)
@click.option("--list", "listed", is_flag=True, help="Show the cases, and start nothing.")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@json_option
def command(
    argv: tuple[str, ...],
    names: tuple[str, ...],
    gateway_env: str | None,
    lock: str,
    timeout: float,
    *,
    listed: bool,
    as_json: bool,
) -> int:
    """Torment a program that speaks handover/1 with every case of the protocol.

    \b
    gapless handover verify --gateway-env GATEWAY -- python3 bot.py

    Copies of COMMAND are started in a private folder, told what an orchestrator tells them,
    stopped, killed and started again. Events come from a small gateway; without --gateway-env,
    cases that need some are INCONCLUSIVE. Exits 0 when all passed, else 3.
    """
    from gapless.cli import verifying

    cases = verifying.chosen(names)
    if listed:
        return verifying.show(cases, as_json=as_json)
    setting = verifying.setting(argv, gateway_env or "", lock, timeout)
    return asyncio.run(verifying.verify(cases, setting, as_json=as_json))
