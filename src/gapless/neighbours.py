"""Rollouts of other environments of a project, as this machine's journals have them: their hosts
may be the same, and then their locks are seen from here."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from gapless.engine.journal import RolloutRecord
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.standing import standing
from gapless.engine.state_home import project_folder
from gapless.errors import GaplessError
from gapless.project import Project


def of_neighbours(project: Project, rollouts: Collection[str]) -> dict[str, RolloutRecord]:
    """Those of the rollouts that another environment here knows, by id, as they stand now. What is
    over there, too, and a journal that cannot be read, tell nothing."""
    found: dict[str, RolloutRecord] = {}
    for environment in project.loaded.environments:
        folder = project_folder(project.config.project, environment)
        if environment == project.loaded.environment or not (folder / "journal.db").exists():
            continue
        with suppress(GaplessError):
            journal = SqliteJournal(folder)
            unfinished = journal.rollouts(unfinished=True)
            found |= {r.id: standing(journal, r) for r in unfinished if r.id in rollouts}
    return found
