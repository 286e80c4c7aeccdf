"""``gapless explain``."""

from __future__ import annotations

import click

from gapless.cli.exit_codes import MEANINGS, ExitCode


@click.command("explain")
@click.argument("word")
def command(word: str) -> int:
    """Explain an error code (GL-402 or 402), event (step.failed), key (services.rollout.batch),
    exit code (4) or exit-codes."""
    from gapless.cli.explaining import explain
    from gapless.cli.output import result

    told = [code for code in MEANINGS if word in ("exit-codes", str(int(code)))]
    if told:
        result("".join(f"{code:>4}  {MEANINGS[code]}\n" for code in told))
    else:
        result(explain(word))
    return ExitCode.DONE
