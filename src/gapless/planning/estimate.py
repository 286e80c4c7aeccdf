"""How long one instance takes, before history knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind

_SECONDS = {
    StepKind.PREFLIGHT: 2.0,
    StepKind.SNAPSHOT: 0.5,
    StepKind.STAGE: 15.0,
    StepKind.DRAIN: 5.0,
    StepKind.EVACUATE: 1.0,
    StepKind.SWITCH: 4.0,
    StepKind.READY: 2.0,
    StepKind.REJOIN: 3.0,
    StepKind.WARM: 2.0,
    StepKind.ADMIT: 3.0,
    StepKind.VERIFY: 2.0,
    StepKind.COMMIT: 0.5,
}
"""Middling values of small services; the soak is known, the migration is counted once."""


def estimate(
    name: str,
    service: ServiceConfig,
    steps: Collection[StepKind],
    history: Mapping[str, float] | None,
) -> tuple[float, bool]:
    """Seconds for one instance, and whether history says so. A soak that was made longer since is
    not in the history yet."""
    soak = service.soak or 0.0 if StepKind.SOAK in steps else 0.0
    if history and name in history:
        return max(history[name], soak), history[name] >= soak
    if service.expected is not None:
        return service.expected, False
    return sum(_SECONDS.get(step, 0.0) for step in steps) + soak, False
