"""Processes that hand over: what the next start finds lies in a file beside the run file.

The run file names it, so that it is the same whatever stands there. A supervisor that runs as a
unit has a drop-in besides: by that nobody starts again what ended for good.
"""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.handover.orders import placed
from gapless.drivers.runtimes import systemd_handover as of_unit
from gapless.model import Command

_NOTHING = Command(("true",))
"""Nobody but systemd starts a supervisor again."""


def variables_file(run_file: str) -> str:
    """Where the variables are."""
    return f"{run_file.removesuffix('.json')}.env"


def lines(variables: Mapping[str, str]) -> str:
    """As a file of the environment."""
    told = (f'{name}="{_quoted(value)}"\n' for name, value in variables.items())
    return "".join(("# gapless: see docs/reference/handover.md\n", *told))


def prepare(run_file: str, unit: str, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """With the variables, and armed; ``unit`` "" is none."""
    written = placed(variables_file(run_file), lines(variables))
    return (written, *(of_unit.prepare(unit, {}) if unit else ()))


def disarm(unit: str) -> tuple[Command, ...]:
    """However it ends."""
    return of_unit.disarm(unit) if unit else (_NOTHING,)


def rearm(unit: str) -> tuple[Command, ...]:
    """As it was started."""
    return of_unit.rearm(unit) if unit else (_NOTHING,)


def forget(run_file: str, unit: str) -> tuple[Command, ...]:
    """Nothing is left."""
    removed = Command(("rm", "-f", "--", variables_file(run_file)))
    return (removed, *(of_unit.forget(unit) if unit else ()))


def _quoted(value: str) -> str:
    return "".join(f"\\{char}" if char in '"\\`$' else char for char in value)
