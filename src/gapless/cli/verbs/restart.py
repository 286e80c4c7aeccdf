"""``gapless restart``."""

from __future__ import annotations

from gapless.cli.roll_command import roll_command

command = roll_command(
    "restart",
    "Restart services, one batch after another, in the order of their dependencies.",
)
