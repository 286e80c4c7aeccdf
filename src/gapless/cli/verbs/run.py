"""``gapless run``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.word_table import TableGroup

WORDS: Mapping[str, tuple[str, str]] = {
    "status": ("run_status", "Copies of supervised processes."),
    "rollback": ("run_rollback", "Flip back to what served before."),
    "wait": ("run_wait", "Wait until no flip is under way."),
    "stop": ("run_stop", "Stop a process and its supervisor."),
    "adopt": ("run_adopt", "Put a systemd unit under gapless run."),
}
"""Word behind run → (module, help in one line)."""

_COMMAND = "gapless.command"


class RunGroup(TableGroup):
    """Words from a table, imported when they are used; all after ``--`` is the command, whatever it
    is called."""

    table = WORDS

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command aside before anything else is read."""
        border = args.index("--") if "--" in args else len(args)
        ctx.meta[_COMMAND] = tuple(args[border + 1 :])
        return super().parse_args(ctx, args[:border])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With did-you-mean."""
        if args[0] not in WORDS:
            close = get_close_matches(args[0], WORDS, n=1)
            hint = f"Did you mean '{close[0]}'? " if close else ""
            raise click.UsageError(
                f"There is no word '{args[0]}' here. {hint}A command stands behind --", ctx
            )
        if ctx.meta[_COMMAND]:
            raise click.UsageError(f"'{args[0]}' takes no command behind --", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that help imports nothing."""
        with formatter.section("Words"):
            formatter.write_dl([(name, text) for name, (_, text) in WORDS.items()])


@click.group(
    "run",
    cls=RunGroup,
    invoke_without_command=True,
    subcommand_metavar="[WORD | -- COMMAND [ARG]...]",
)
@click.option("-c", "--config", metavar="FILE", help="The run file.")
@click.option(
    "--listen", multiple=True, metavar="[NAME=]ADDR", help="Socket to open; several are fine."
)
@click.option("--name", help="What gapless flip knows it by; default: from FILE or COMMAND.")
@click.option(
    "--ready",
    metavar="KIND[=VALUE]",
    help="When a copy is ready: notify, alive=5s, http=probe:/health, command=…",
)
@click.option("--settle", metavar="TIME", help="How long a ready copy is watched; default: 2s.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other key of a run file: stop.timeout=30s; several are fine.",
)
@click.pass_context
def command(
    ctx: click.Context,
    config: str | None,
    listen: tuple[str, ...],
    name: str | None,
    ready: str | None,
    settle: str | None,
    settings: tuple[str, ...],
) -> int:
    """Supervise one process, and replace it by its new version without losing a request.

    \b
    gapless run -c web.yaml
    gapless run --listen 127.0.0.1:8080 --ready notify -- ./serve --workers 4

    It stays in the foreground under one process number and ends with the program's exit code
    (128 + n for signal n). Signals are passed on, but HUP flips, as gapless flip does. A program
    finds its sockets as under systemd (LISTEN_FDS).
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    words = ctx.meta[_COMMAND]
    if config is not None and (words or listen or ready or settle or settings):
        raise click.UsageError("With -c everything but --name is said in the run file.", ctx)
    if config is None and not words:
        raise click.UsageError("Give a run file (-c FILE) or a command (-- COMMAND).", ctx)
    from gapless.config import compiling
    from gapless.errors import Refused
    from gapless.supervisor import launching

    if config is not None:
        spec = compiling.compile_file(config, name or "")
    else:
        spec = compiling.compile_words(
            listen, words, name or "", ready or "", settle or "", settings
        )
    try:
        launching.become(spec)
    except OSError as error:
        raise Refused(
            f"{error.filename} cannot be executed",
            evidence=str(error.strerror),
            next=f"namei -l {error.filename}",
        ) from None
