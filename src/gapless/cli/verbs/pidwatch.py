"""``gapless pidwatch``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

import gapless
from gapless.cli.durations import DAY, DurationType

PROGRAM = Path(gapless.__file__).parent / "supervisor" / "pidwatch" / "__main__.py"


@click.command("pidwatch", context_settings={"allow_interspersed_args": False})
@click.option("--pidfile", required=True, metavar="FILE", help="Where the daemon writes its PID.")
@click.option(
    "--wait",
    type=DurationType(DAY, none=True),
    default="5s",
    metavar="TIME",
    show_default=True,
    help="How soon another process must be named after the main one ended.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not tell when the main process changes.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def command(argv: tuple[str, ...], pidfile: str, wait: float, *, quiet: bool) -> None:
    """Stay in the foreground before a daemon whose main process changes.

    \b
    gapless pidwatch --pidfile /run/nginx.pid -- nginx

    Signals go to the main process of the moment; the exit code is that of the last one (128 + n
    for signal n). When pidwatch is killed, so is all that it started.
    """
    # From here on none is lost; the program that we become unblocks none, it reads them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    words = ["--pidfile", pidfile, "--wait", str(wait), *(["--quiet"] if quiet else [])]
    program = [sys.executable, "-I", "-S", str(PROGRAM), *words, "--", *argv]
    os.execve(sys.executable, program, _given())  # noqa: S606 - words, no shell


def _given() -> dict[bytes, bytes]:
    """The environment as it was given to us: Python may have added LC_CTYPE to its own."""
    pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    return dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
