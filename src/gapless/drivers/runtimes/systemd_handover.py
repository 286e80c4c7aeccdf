"""Units whose programs hand over: a drop-in of ours holds what the next start finds.

It is no fragment of the unit in the sense of snapshots: going back must not bring back the
variables of a copy that has been. ``systemctl revert`` would take it away, a person may read it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.handover.orders import placed
from gapless.model import Command

_STEM = "zz-gapless-handover"
"""After ``override.conf``: what a person edits must not win over us."""
_OBSOLETE, _WRONG = 75, 78
"""Statuses with which a copy asks not to be started again."""


def path(unit: str) -> str:
    """Where it is."""
    return f"/etc/systemd/system/{unit}.d/{_STEM}.conf"


def is_ours(fragment: str) -> bool:
    """Whether a file of a unit is such a drop-in."""
    return f".d/{_STEM}" in fragment


def drop_in(variables: Mapping[str, str]) -> str:
    """The file; a copy that is obsolete ends and stays so."""
    lines = [f'Environment="{name}={_quoted(value)}"' for name, value in variables.items()]
    never = f"RestartPreventExitStatus={_OBSOLETE} {_WRONG}"
    return "\n".join(["# gapless: see docs/reference/handover.md", "[Service]", *lines, never, ""])


def prepare(unit: str, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """With the variables, and armed."""
    removed = Command(("rm", "-f", "--", _disarmed(unit)))
    return (placed(path(unit), drop_in(variables)), removed, _RELOAD)


def disarm(unit: str) -> tuple[Command, ...]:
    """A file of its own in /run: a reboot, or the next start by us, forgets it."""
    return (placed(_disarmed(unit), "[Service]\nRestart=no\n"), _RELOAD)


def rearm(unit: str) -> tuple[Command, ...]:
    """As the unit has it."""
    return (Command(("rm", "-f", "--", _disarmed(unit))), _RELOAD)


def forget(unit: str) -> tuple[Command, ...]:
    """Nothing is left."""
    return (Command(("rm", "-f", "--", path(unit), _disarmed(unit))), _RELOAD)


def _disarmed(unit: str) -> str:
    return f"/run/systemd/system/{unit}.d/{_STEM}-disarmed.conf"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


_RELOAD = Command(("systemctl", "daemon-reload"), timeout=30.0)
