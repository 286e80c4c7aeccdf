"""In which order and how instances are replaced: one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies import blue_green, canary, followers_first, handover, rolling, start_first


class StepsOf(Protocol):
    """Chooses the steps of an instance."""

    def __call__(
        self, service: ServiceConfig, verb: Verb, *, migrate: bool
    ) -> tuple[StepKind, ...]:
        """What applies to the service."""
        ...


STRATEGIES: Mapping[str, StepsOf] = {
    "rolling": rolling.steps,
    "start-first": start_first.steps,
    "canary": canary.steps,
    "blue-green": blue_green.steps,
    "handover": handover.steps,
    "followers-first": followers_first.steps,
}
"""By what ``rollout.strategy`` says."""
