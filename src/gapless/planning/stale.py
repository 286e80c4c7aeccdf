"""Whether the world still is what a plan was made from."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.errors import StalePlan
from gapless.planning.survey import Seen, Survey
from gapless.plans import Plan, ServicePlan


def differences(plan: Plan, survey: Survey) -> tuple[str, ...]:
    """What changed on the touched hosts since the plan was made, one sentence each."""
    return tuple(
        text
        for service, host in plan.instances()
        for text in _differences(service, host, survey.of(service.name, host))
    )


def refuse_when_stale(plan: Plan, survey: Survey) -> None:
    """Raise StalePlan with every difference."""
    found = differences(plan, survey)
    if found:
        raise StalePlan(
            f"{len(found)} thing{'s' if len(found) > 1 else ''} changed since the plan was made",
            evidence="\n".join(found),
            next=" ".join(("gapless plan", plan.verb.value, *(s.name for s in plan.services))),
        )


def _differences(service: ServicePlan, host: str, seen: Seen | None) -> Iterator[str]:
    where = f"{service.name}@{host}"
    known = host in service.fingerprints or host in service.from_
    if seen is None or seen.error:
        if known:
            yield f"{where}: cannot be seen now{f' ({seen.error})' if seen else ''}"
        return
    planned = service.fingerprints.get(host)
    if planned is not None and planned != seen.fingerprint:
        yield f"{where}: its unit changed"
    then = service.config_from.get(host)
    if then is not None and (seen.config is None or seen.config.live.mark != then):
        yield f"{where}: its configuration files changed"
    before, now = service.from_.get(host), seen.release.name if seen.release else ""
    if before is not None and before != now:
        yield f"{where}: runs release {now or 'none'}, the plan saw {before}"
