"""From a project, a wish and what was seen on the hosts to a plan."""

from gapless.planning.make import make_plan
from gapless.planning.options import PlanOptions, Target
from gapless.planning.stale import differences
from gapless.planning.survey import Drivers, Seen, Survey, survey

__all__ = [
    "Drivers",
    "PlanOptions",
    "Seen",
    "Survey",
    "Target",
    "differences",
    "make_plan",
    "survey",
]
