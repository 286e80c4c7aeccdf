"""Handover: two copies that hold connections of their own change places, and no event is lost or
doubled (docs/reference/handover.md).

1. An instance has two slots, as in start-first. Before the new copy is started, the event lock is
   on in the old one: from then on an effect takes a won claim.
2. The new copy connects as a standby and handles nothing. When all of its units are ready and have
   stayed so, it is activated.
3. Then both handle events, each event once. In this joint phase the new copy is judged: by what it
   says of itself, by its soak and its evidence. Up to here nothing of the old copy was changed, and
   the way back is to deactivate the new one.
4. Only then is the old copy deactivated: it finishes what it began, and ends. Its restart policy is
   disarmed before, or it would be started again.
5. It is retired, and when its last events are older than the skew, the lock is off again.
6. A copy that dies in the middle is replaced by the other by itself. Whoever goes on with the
   rollout asks both what they are.
7. Order, canaries, groups and zones are those of rolling; two copies at the same time cost what
   they do in start-first.
"""

from __future__ import annotations

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.lifecycle import applied


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rules 2 to 5: what applies to this service."""
    return applied(_JOINT, service, verb, migrate=migrate)


_JOINT = (
    StepKind.PREFLIGHT,
    StepKind.SNAPSHOT,
    StepKind.STAGE,
    StepKind.MIGRATE,
    StepKind.SWITCH,
    StepKind.READY,
    StepKind.WARM,
    StepKind.ADMIT,
    StepKind.SOAK,
    StepKind.VERIFY,
    StepKind.DRAIN,
    StepKind.RETIRE,
    StepKind.COMMIT,
)
