"""Blue-green: a whole second set is started, and traffic is switched once.

1. Each instance has two slots, as in start-first. The new copies of all instances are started in
   the free slots and pass their checks; the old ones serve all the while.
2. Only when all of them are ready is the first admitted. One that is not takes all back: nothing
   was switched.
3. Then all new copies are admitted and all old ones drained.
4. The old set stays, drained and running, until every instance has passed its soak and its
   evidence, and for ``park`` after that. One failure takes all back: the old set is admitted, which
   takes no start.
5. Then the old set is retired. From here on the way back is a rollout.
6. There is one batch. Twice the memory, connections and licences are needed for as long as both
   sets are there; the plan says so.
"""

from __future__ import annotations

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.lifecycle import applied


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rules 1 to 5: what applies to this service."""
    return applied(_SETS, service, verb, migrate=migrate)


_SETS = (
    StepKind.PREFLIGHT,
    StepKind.SNAPSHOT,
    StepKind.STAGE,
    StepKind.MIGRATE,
    StepKind.SWITCH,
    StepKind.READY,
    StepKind.WARM,
    StepKind.ADMIT,
    StepKind.DRAIN,
    StepKind.SOAK,
    StepKind.VERIFY,
    StepKind.PARK,
    StepKind.RETIRE,
    StepKind.COMMIT,
)
