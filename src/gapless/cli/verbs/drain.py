"""``gapless drain``."""

from __future__ import annotations

from gapless.cli.by_hand import command_by_hand

command = command_by_hand(
    "drain",
    "Take instances out of every balancer of theirs and wait until each reports them idle.\n\n"
    "They stay out, also through restarts and deploys, until gapless admit.",
)
