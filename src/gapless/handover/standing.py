"""What a copy is when it starts, and when it gets ``active.lock``.

The first line that fits decides:

1. of the epoch that is active: ACTIVE as soon as it holds the lock
2. next in ``standby``: STANDBY
3. next in ``joint``, or active in ``draining``: ACTIVE, whoever holds the lock
4. of an epoch that was given out and is neither: obsolete
5. nobody knows it, and it was started as active: ACTIVE as soon as it holds the lock
6. nobody knows it, and it was started as standby not long ago: STANDBY
7. nobody knows it: ACTIVE when the lock is free, else STANDBY
"""

from __future__ import annotations

from enum import Enum

from gapless.handover.environment import Environment
from gapless.handover.state_file import StateFile


class Standing(Enum):
    """What the table makes of a copy."""

    HEIR = "active as soon as it holds the lock"
    STANDBY = "stands by"
    JOINT = "active beside the other one"
    OBSOLETE = "obsolete"
    FIRST_COME = "active when the lock is free"


def standing(environment: Environment, state: StateFile | None, age: float) -> Standing:
    """``age``: seconds since the orchestrator started it."""
    if state is not None:
        known = _known(environment.epoch, state)
        if known is not None:
            return known
    if environment.role == "active":
        return Standing.HEIR
    if environment.role == "standby" and age <= environment.max_age:
        return Standing.STANDBY
    return Standing.FIRST_COME


def _known(epoch: int, state: StateFile) -> Standing | None:
    if state.active is not None and epoch == state.active.epoch:
        return Standing.JOINT if state.phase == "draining" else Standing.HEIR
    if state.next is not None and epoch == state.next.epoch:
        if state.phase == "standby":
            return Standing.STANDBY
        if state.phase == "joint":
            return Standing.JOINT
    return Standing.OBSOLETE if epoch <= state.latest else None
