"""Where a rollout really stands: what its record says, seen together with who works on it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gapless.engine.journal import RolloutRecord, RolloutState, every_event

if TYPE_CHECKING:
    from gapless.project import Project

_PAUSES = ("rollout.paused", "rollout.resumed")


def standing(project: Project, row: RolloutRecord) -> RolloutRecord:
    """Running without a controller is interrupted; with one that was told to pause, paused."""
    if row.state is not RolloutState.RUNNING:
        return row
    if not project.journal.is_alive(row.id):
        return dataclasses.replace(row, state=RolloutState.INTERRUPTED)
    told = [event.type for event in every_event(project.journal, row.id) if event.type in _PAUSES]
    paused = told[-1:] == ["rollout.paused"]
    return dataclasses.replace(row, state=RolloutState.PAUSED) if paused else row
