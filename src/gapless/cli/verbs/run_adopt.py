"""``gapless run adopt``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import ExitCode


@click.command("adopt")
@click.argument("unit")
@click.option("--listen", multiple=True, metavar="ADDR", help="Socket to open; several are fine.")
@click.option(
    "--ready", metavar="KIND[=VALUE]", help="When a copy is ready, as gapless run has it."
)
@click.option("--settle", metavar="TIME", help="How long a ready copy is watched; default: 2s.")
@click.option("--write", is_flag=True, help="Write the drop-in, and have systemd read it.")
@click.option("--undo", is_flag=True, help="Remove the drop-in again.")
def command(
    unit: str,
    listen: tuple[str, ...],
    ready: str | None,
    settle: str | None,
    *,
    write: bool,
    undo: bool,
) -> int:
    """Print the drop-in that puts a systemd unit under gapless run.

    \b
    gapless run adopt web --listen 127.0.0.1:8080 --write
    systemctl restart web        # once; from then on:
    systemctl reload web

    The unit itself is not touched and its process goes on until the restart. Sockets of its socket
    unit are taken over. With --write the file is in /etc/systemd/system, and systemctl
    daemon-reload has been done.
    """
    from gapless.cli import adopting
    from gapless.cli.drop_in import Wish

    if undo and (write or listen or ready or settle):
        raise click.UsageError("--undo stands alone.")
    if undo:
        adopting.undo(unit)
    else:
        adopting.adopt(unit, Wish(listen, ready or "", settle or ""), write=write)
    return ExitCode.DONE
