"""``gapless resume``."""

from __future__ import annotations

import click

from gapless.cli.options import (
    Consent,
    Show,
    Where,
    consent_option,
    open_rollout_argument,
    show_option,
    where_option,
)


@click.command("resume")
@open_rollout_argument
@consent_option
@show_option
@where_option
def command(rollout: str | None, consent: Consent, show: Show, where: Where) -> int:
    """Go on with a paused or interrupted rollout, here if nobody else works on it.

    One that paused for an approval is approved by this; one that was interrupted asks again.
    """
    from gapless.cli.going_on import go_on

    return go_on("resume", where, rollout, show, consent)
