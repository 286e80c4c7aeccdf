"""``gapless admit``."""

from __future__ import annotations

from gapless.cli.by_hand import command_by_hand

command = command_by_hand(
    "admit",
    "Let instances into every balancer of theirs, after their own checks pass, and wait until "
    "each reports them up.",
)
