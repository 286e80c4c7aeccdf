"""Which steps of a strategy's order apply to a service."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.config.services import ServiceConfig
from gapless.drivers.runtimes.brought import brings
from gapless.plans import StepKind, Verb


def applied(
    order: Sequence[StepKind], service: ServiceConfig, verb: Verb, *, migrate: bool
) -> tuple[StepKind, ...]:
    """Those of ``order`` that have something to do."""
    deploys = verb is Verb.DEPLOY
    applies = {
        StepKind.STAGE: deploys and has_something_to_stage(service),
        StepKind.MIGRATE: migrate and service.migrate is not None and verb is not Verb.ROLLBACK,
        StepKind.DRAIN: service.steered,
        StepKind.ADMIT: service.steered,
        StepKind.EVACUATE: service.cluster is not None,
        StepKind.REJOIN: service.cluster is not None,
        StepKind.WARM: bool(service.warm) and verb is not Verb.ROLLBACK,
        StepKind.SOAK: service.soak != 0,
        StepKind.VERIFY: bool(service.verify),
        StepKind.SHIFT: bool(service.rollout.shift) and verb is not Verb.ROLLBACK,
        StepKind.PARK: bool(service.rollout.park) and verb is not Verb.ROLLBACK,
    }
    return tuple(step for step in order if applies.get(step, True))


def has_something_new(service: ServiceConfig) -> bool:
    """Whether a deploy brings anything to its hosts, or may find something new there: a compose
    project lies on them."""
    return service.containers is not None or has_something_to_stage(service)


def has_something_to_stage(service: ServiceConfig) -> bool:
    """Whether a deploy brings anything to its hosts."""
    return service.release is not None or bool(service.config) or brings(service)
