"""What ``deploy --resume`` and ``restart --resume`` do: go on where it stopped."""

from __future__ import annotations

from typing import Literal

from gapless.cli.exit_codes import ExitCode
from gapless.cli.going_on import go_on
from gapless.cli.options import Choice, Consent, Show, Where
from gapless.errors import UsageError


def take_up(
    verb: Literal["restart", "deploy"],
    where: Where,
    services: tuple[str, ...],
    choice: Choice,
    consent: Consent,
    show: Show,
    *,
    prove: bool,
    dry_run: bool,
) -> int:
    """Go on with the unfinished rollout of these services. It is carried out as it was planned:
    options that change a plan, and a plan in a file, are errors."""
    from gapless import api

    if choice.changes_plan or prove or dry_run:
        raise UsageError(
            "--resume goes on with a rollout as it was planned: it takes no option that changes it",
            next=f"gapless {verb} --resume {' '.join(services)}".rstrip(),
        )
    rollout = api.unfinished_of(where.load(), verb, services).id
    return ExitCode(go_on("resume", where, rollout, show, consent))
