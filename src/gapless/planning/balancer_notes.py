"""What a service's balancers cost its clients, said before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gapless.clock import LoopClock
from gapless.config.project import ProjectConfig
from gapless.config.quantities import format_duration
from gapless.drivers import registry
from gapless.drivers.balancers.base import Capabilities, Evidence
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.planning.survey import Survey
from gapless.plans import ServicePlan, StepKind


def with_costs(
    planned: Sequence[ServicePlan], project: ProjectConfig, survey: Survey | None
) -> tuple[ServicePlan, ...]:
    """With a note of each cost; of a balancer that several services share it is said once."""
    said: set[str] = set()
    priced = []
    for service in planned:
        costs = [note for note in balancer_notes(service, project, survey) if note not in said]
        said.update(costs)
        priced.append(replace(service, notes=(*service.notes, *costs)))
    return tuple(priced)


def balancer_notes(
    service: ServicePlan, project: ProjectConfig, survey: Survey | None
) -> Iterator[str]:
    """One sentence a cost; none for a service that no balancer is told of."""
    if not {StepKind.DRAIN, StepKind.ADMIT}.intersection(service.steps):
        return
    drains = StepKind.DRAIN in service.steps
    for name in project.services[service.name].balancer:
        config = project.balancers[name]
        can = capabilities(name, project)
        delay = survey.delays.get(name) if survey else None
        costs = [
            *_of_changes(can),
            *(_of_drains(can, config.drain_timeout, delay) if drains else ()),
        ]
        yield from (f"{name} ({config.kind}): {cost}" for cost in costs)


def capabilities(name: str, project: ProjectConfig) -> Capabilities:
    """What a balancer of the project can do; nothing is asked."""
    driver = registry.balancer(name, project.balancers[name], _nowhere, LoopClock(), own_name)
    return driver.capabilities()


def _of_changes(can: Capabilities) -> Iterator[str]:
    if can.resets_keepalives or can.loses_new:
        resets = ["resets idle keep-alive connections"] if can.resets_keepalives else []
        loses = ["may lose a few connections that are just being opened"] if can.loses_new else []
        yield f"each drain and each admit reloads it, which {' and '.join([*resets, *loses])}"


def _of_drains(can: Capabilities, limit: float, delay: float | None) -> Iterator[str]:
    if can.drain_evidence is Evidence.TIMED:
        lasts = _lasting(can, limit, delay)
        yield f"nothing shows when a drain is over: each lasts {lasts}, then what is open is cut"
    elif can.drain_evidence is Evidence.INFERRED:
        yield f"that a drain is over is not counted, but inferred from {can.shown_by}"


def _lasting(can: Capabilities, limit: float, delay: float | None) -> str:
    """``delay`` is what the balancer itself says; ``limit`` may end the wait before."""
    if delay is None:
        return format_duration(limit if can.lasts is None else can.lasts)
    if delay <= limit:
        return f"{format_duration(delay)} (its own delay)"
    return f"{format_duration(limit)} (drain_timeout; its own delay is {format_duration(delay)})"


def _nowhere(host: str) -> Transport:
    raise RuntimeError(f"a plan asked {host or 'this machine'} for what a balancer can do")
