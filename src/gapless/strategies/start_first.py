"""Start-first: the new copy of an instance serves before the old one is stopped.

1. An instance has two slots, a and b. The copy that serves is in one of them; the new one is
   started in the other, beside it, and nothing that runs is touched by that.
2. When the new copy has passed its checks (and warm-up, and the questions that gate traffic), it is
   admitted. Only when every balancer reports it up is the old one drained.
3. The old copy stays, drained and running, until the new one has passed its soak and its evidence:
   up to there the way back is to admit the old one again, which takes no start.
4. Then the old copy is retired: stopped, and out of whatever would start it again.
5. Nothing is ever out of service, so the floor is all that serves. ``batch`` instances have two
   copies at the same time, one by default: that many times the memory, connections and licences
   are needed besides.
6. Where nothing runs yet, the new copy is all there is.
7. Order, canaries, groups and zones are those of rolling.
"""

from __future__ import annotations

from gapless.config.quantities import resolve_amount
from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.lifecycle import applied
from gapless.strategies.rolling import Sizes


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rules 2 to 4: what applies to this service."""
    return applied(BESIDE, service, verb, migrate=migrate)


BESIDE = (
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
    StepKind.RETIRE,
    StepKind.COMMIT,
)


def sizes(total: int, *, batch: int | str, out: int = 0) -> Sizes:
    """Rule 5; ``out`` instances are not serving and are not replaced."""
    wanted = resolve_amount(batch, total, at_least=1)
    return Sizes(total=total, batch=wanted, floor=total - out, wanted=wanted)
