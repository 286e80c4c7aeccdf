"""Reading a rollout from the journal while somebody else works on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gapless.engine.journal import every_event
from gapless.errors import UsageError
from gapless.events.event import Event

if TYPE_CHECKING:
    from gapless.project import Project

EVERY = 0.2
"""Seconds between two looks."""


async def follow(
    project: Project, rollout: str, observe: Callable[[Event], None], after: int = 0
) -> None:
    """Show events until the rollout ends, pauses, or nobody works on it any more."""
    over = False
    while True:
        for event in every_event(project.journal, rollout, after):
            after = max(after, event.seq)
            observe(event)
        if over:
            return
        over = not working(project, rollout)  # what it wrote last is read once more
        if not over:
            await project.clock.sleep(EVERY)


def working(project: Project, rollout: str) -> bool:
    """Whether a controller works on it now."""
    record, _ = project.journal.load(rollout)
    return record.state == "running" and project.journal.is_alive(rollout)


def newest(project: Project, rollout: str | None) -> str:
    """The rollout meant: the one named, else the newest that takes none back."""
    if rollout:
        return project.journal.load(rollout)[0].id
    for record in project.journal.rollouts(20):
        if not record.parent:
            return record.id
    raise UsageError("there is no rollout yet", next="gapless plan restart")
