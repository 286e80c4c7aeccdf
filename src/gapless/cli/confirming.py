"""Asking a person whether to go on."""

from __future__ import annotations

import click

from gapless.cli.output import note

NOTHING = "Nothing was changed.\n"


def confirmed(question: str) -> bool:
    """Whether the answer is yes. No, as well as Ctrl-C (which raises Abort), changes nothing."""
    try:
        if click.confirm(question, default=False, err=True):
            return True
    except click.Abort:
        note(f"\n{NOTHING}")
        raise
    note(NOTHING)
    return False
