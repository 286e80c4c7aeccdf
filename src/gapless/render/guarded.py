"""What a plan promises of clusters that keep data.

How many members serve says little there: their own gates allow no stop that takes a group below
what it needs, and keep one more in hand where the group is large enough. A reason to force it goes
past some of them, and a cluster of one has nobody to hand over to: then the floor is all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gapless.plans import Plan, ServicePlan, StepKind

EVERY_GROUP = "every group keeps its quorum or minimum"
_SHOWN = 3


def guarded(service: ServicePlan, plan: Plan) -> bool:
    """Whether its gates decide what may be stopped."""
    return StepKind.EVACUATE in service.steps and service.total > 1 and not plan.force


def groups_keep(services: Iterable[ServicePlan]) -> Iterator[str]:
    """A part of a sentence for those that have the same reserve."""
    by_reserve: dict[int, list[str]] = {}
    for service in services:
        by_reserve.setdefault(service.reserve, []).append(service.name)
    for reserve, names in by_reserve.items():
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        kept = f"every group of {', '.join(names[:_SHOWN])}{rest} keeps its quorum or minimum"
        more = "one" if reserve == 1 else f"{reserve:,}"
        yield f"{kept}, and {more} more in sync where its size allows" if reserve else kept
