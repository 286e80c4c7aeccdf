"""Followers first: the members of a stateful cluster, one after the other, in place.

1. Before each member the cluster is asked anew, every member of it: who leads what, who is in sync.
   Those that lead least go first, and who holds a role of which there is one goes last
   (``gapless.clusters.order``). What an earlier controller began comes before that.
2. Gates (``gapless.clusters.gates``) decide whether it may be stopped now: enough would be left,
   with one in hand where the size of a group has one; every group is led and full; nobody
   disagrees. Whichever gate fails, nothing more is touched.
3. Its leaderships are moved to members that were restarted already, where one is in sync. It is not
   stopped while it leads a group that can be moved.
4. It is restarted, is ready, and then it has to *rejoin*: the same identity in another process,
   caught up, and every group that it is of full and led, in several views in a row. While it comes
   nearer it is waited for.
5. One that fails is taken back by itself and the service stops: no second one is touched.
"""

from __future__ import annotations

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.lifecycle import applied


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rules 3 and 4: what applies to this service."""
    return applied(_MEMBER, service, verb, migrate=migrate)


_MEMBER = (
    StepKind.PREFLIGHT,
    StepKind.SNAPSHOT,
    StepKind.STAGE,
    StepKind.MIGRATE,
    StepKind.DRAIN,
    StepKind.EVACUATE,
    StepKind.SWITCH,
    StepKind.READY,
    StepKind.REJOIN,
    StepKind.WARM,
    StepKind.ADMIT,
    StepKind.SOAK,
    StepKind.VERIFY,
    StepKind.COMMIT,
)
