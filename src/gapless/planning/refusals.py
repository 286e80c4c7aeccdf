"""What a rollout of a plan would be refused for, if nothing changes until then.

The rollout judges by itself, by what it sees then; a plan that promises what it would refuse is no
use. The rules are those of the examination before the first change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gapless.plans import ServicePlan

_SHOWN = 3
AS_THINGS_ARE = "refused as things are"
CANNOT_BE_ASKED = "cannot be asked"


def refusals(services: Sequence[ServicePlan]) -> Mapping[str, str]:
    """Why, by service; empty when all of it may begin."""
    failing = {service.name: failing_now(service) for service in services}
    total = sum(map(len, failing.values()))
    told: dict[str, list[str]] = {}
    for service in services:
        unfit = failing[service.name]
        if unfit and total > service.max_failed:
            told.setdefault(service.name, []).append(counted(unfit))
        out = {*service.absent, *service.unfit, *service.by_hand}
        if service.kept_in(out, {*unfit, *service.by_hand}):
            least = f"{service.floor} of {service.total} have to serve"
            told.setdefault(service.name, []).append(f"no other instance may go out, {least}")
        if service.unsteered:
            told.setdefault(service.name, []).extend(service.unsteered)
        if service.unsafe:
            told.setdefault(service.name, []).extend(service.unsafe)
    return {name: f"{AS_THINGS_ARE}: {'; '.join(why)}" for name, why in told.items()}


def failing_now(service: ServicePlan) -> Mapping[str, str]:
    """Instances that were asked for and cannot be touched as they are, and why."""
    unfit = {host: why for host, why in service.unfit.items() if host in service.hosts}
    return {**service.absent, **unfit}


def counted(unfit: Mapping[str, str]) -> str:
    """Which instances count as failed, and why."""
    told = [f"{host} ({_brief(why)})" for host, why in list(unfit.items())[:_SHOWN]]
    more = f" and {len(unfit) - _SHOWN} more" if len(unfit) > _SHOWN else ""
    counts = "counts" if len(unfit) == 1 else "count"
    return f"{', '.join(told)}{more} {counts} as failed"


def _brief(why: str) -> str:
    """What was in the way of asking is long, and told beside the host that is not touched."""
    kind, _, _ = why.partition(": ")
    return kind if kind == CANNOT_BE_ASKED else why
