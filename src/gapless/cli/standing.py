"""Where a rollout really stands, for the verbs that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless.engine import standing as engine
from gapless.engine.journal import RolloutRecord

if TYPE_CHECKING:
    from gapless.plans import Plan
    from gapless.project import Project


def standing(project: Project, row: RolloutRecord) -> RolloutRecord:
    """The record as it really stands now."""
    return engine.standing(project.journal, row)


def tell_in_the_way(project: Project, plan: Plan) -> bool:
    """Of rollouts that are not over and have one of the plan's services: it is refused so long.
    Whether there is one."""
    told = False
    wanted = {service.name for service in plan.services} | {one.service for one in plan.untouched}
    for row in project.journal.rollouts(50, unfinished=True):
        if not row.parent and wanted & set(row.services):
            from gapless.cli.output import note
            from gapless.render.tables import render_in_the_way

            note(render_in_the_way(standing(project, row)))
            told = True
    return told
