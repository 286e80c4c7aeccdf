"""Where a rollout really stands, for the verbs that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless.engine import standing as engine
from gapless.engine.journal import RolloutRecord

if TYPE_CHECKING:
    from gapless.project import Project


def standing(project: Project, row: RolloutRecord) -> RolloutRecord:
    """The record as it really stands now."""
    return engine.standing(project.journal, row)
