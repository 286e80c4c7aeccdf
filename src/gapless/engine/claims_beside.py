"""Clusters on the hosts of the one that is restarted are claimed with it: of two rollouts of
neighbours each would ask the other's cluster at the same moment, and both be told yes.

1. Of every service whose members are stopped, each cluster that one of these stops touches is
   claimed on all hosts that they share, by the names that its own rollouts claim it by; also on
   hosts that this rollout does not touch: somebody else may be about to. What the plan has itself
   is claimed once.
2. Whoever says ``cluster.neighbours: leave`` claims nothing but its own. Whom the other one does
   not leave finds its own claimed all the same.
3. A host that cannot be reached is not claimed: its member is none that the gates count on.
4. What may be claimed in the opposite order by somebody else is claimed one by one, in the order of
   its names: of two that begin at the same moment one gets all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gapless.config.neighbours import touches
from gapless.engine.context import RolloutContext
from gapless.plans import ServicePlan, StepKind


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` is claimed on ``host`` for ``service``: itself, or one that it is ``beside`` of."""

    name: str
    host: str
    service: ServicePlan
    beside: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """By which it is known what was granted."""
        return self.name, self.host


def places_beside(ctx: RolloutContext, own: Collection[tuple[str, str]]) -> Iterator[Place]:
    """Rule 1; ``own`` are claimed anyway."""
    taken = set(own)
    for service in ctx.plan.services:
        for name, hosts in _touched(ctx, service).items():
            for host in hosts:
                if (name, host) not in taken:
                    taken.add((name, host))
                    yield Place(name, host, service, beside=True)


def claimed_in_turn(ctx: RolloutContext) -> frozenset[str]:
    """Names of services that others may claim in another order; rule 4."""
    names: set[str] = set()
    for service in ctx.plan.services:
        beside = _touched(ctx, service)
        names |= {service.name, *beside} if beside else set()
    return frozenset(names)


def _touched(ctx: RolloutContext, service: ServicePlan) -> dict[str, Sequence[str]]:
    if StepKind.EVACUATE not in service.steps:
        return {}
    stopped = (*service.hosts, *service.absent)
    beside = ctx.assembly.neighbours(service.name).items()
    return {name: hosts for name, hosts in beside if touches(stopped, hosts)}
