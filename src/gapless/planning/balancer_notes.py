"""What a service's balancers cost its clients, said before anything is done."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.clock import LoopClock
from gapless.config.project import ProjectConfig
from gapless.config.quantities import format_duration
from gapless.drivers import registry
from gapless.drivers.balancers.base import Capabilities, Evidence
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.planning.survey import Survey
from gapless.plans import ServicePlan, StepKind


def balancer_notes(
    service: ServicePlan, project: ProjectConfig, survey: Survey | None
) -> Iterator[str]:
    """One sentence a cost; none for a service that is not taken out of traffic."""
    if StepKind.DRAIN not in service.steps:
        return
    for name in project.services[service.name].balancer:
        config = project.balancers[name]
        delay = survey.delays.get(name) if survey else None
        can = capabilities(name, project)
        for cost in _costs(can, delay or can.lasts or config.drain_timeout):
            yield f"{name} ({config.kind}): {cost}"


def capabilities(name: str, project: ProjectConfig) -> Capabilities:
    """What a balancer of the project can do; nothing is asked."""
    driver = registry.balancer(name, project.balancers[name], _nowhere, LoopClock(), own_name)
    return driver.capabilities()


def _costs(can: Capabilities, lasting: float) -> Iterator[str]:
    if can.resets_keepalives:
        yield "each drain and each admit reloads it, which resets idle keep-alive connections"
    if can.drain_evidence is Evidence.TIMED:
        limit = format_duration(lasting)
        yield f"nothing shows when a drain is over: each lasts {limit}, then what is open is cut"
    elif can.drain_evidence is Evidence.INFERRED:
        yield f"that a drain is over is not counted, but inferred from {can.shown_by}"


def _nowhere(host: str) -> Transport:
    raise RuntimeError(f"a plan asked {host or 'this machine'} for what a balancer can do")
