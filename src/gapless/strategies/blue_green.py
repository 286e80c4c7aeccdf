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
from gapless.strategies.start_first import BESIDE


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Those of start-first, and between evidence and end the old set stands by (rule 4)."""
    end = BESIDE.index(StepKind.RETIRE)
    order = (*BESIDE[:end], StepKind.PARK, *BESIDE[end:])
    return applied(order, service, verb, migrate=migrate)
