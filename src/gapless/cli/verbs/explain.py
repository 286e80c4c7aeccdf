"""``gapless explain``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import MEANINGS, ExitCode


@click.command("explain")
@click.argument("word")
def command(word: str) -> int:
    """Explain an error code (GL-402), event (step.failed), key (services.rollout.batch) or
    exit-codes."""
    from gapless.cli.explaining import explain
    from gapless.cli.output import result

    if word == "exit-codes":
        result("".join(f"{code:>4}  {text}\n" for code, text in MEANINGS.items()))
    else:
        result(explain(word))
    return ExitCode.DONE
