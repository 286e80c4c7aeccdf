"""``gapless deploy``."""

from __future__ import annotations

from gapless.cli.roll_command import roll_command

command = roll_command(
    "deploy",
    "Bring the new release to services, migrate, and switch to it, one batch after another.",
)
