"""``rollout:`` — order, batches and what happens on failure."""

from __future__ import annotations

from typing import Literal

from gapless.config.base import Section
from gapless.config.quantities import Amount, Count, Duration


class RolloutConfig(Section):
    """How the instances of a service are replaced."""

    strategy: Literal["rolling"] = "rolling"
    """In which order and how instances are replaced; rolling: in place, batch after batch."""
    canary: Amount = 0
    """Instances that go first, one after another; the rest follows only if they pass."""
    batch: Amount = 1
    """Instances replaced at the same time."""
    max_unavailable: Amount = 1
    """Instances that may be out at any moment, broken and unreachable ones included."""
    max_failed: Count = 0
    """Failed instances, counted over all services of the rollout, that do not stop this service
    yet."""
    on_failure: Literal["rollback", "stop", "pause"] = "rollback"
    """Undo every instance of this rollout, leave it as it is, or wait for a person."""
    pause: Duration = 0.0
    """Between two batches."""
