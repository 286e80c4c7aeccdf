"""What a step is: an observation, an action, and how to tell after a crash what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gapless.engine.context import InstanceContext
from gapless.engine.journal import StepRecord
from gapless.plans import StepKind

Facts = Mapping[str, Any]


class Step:
    """Base of all steps; stateless, so one object serves every instance.

    ``critical`` steps finish or are found half-done; their intent is durable. ``shown`` names the
    facts that go into the event (the rest stays in the journal).
    """

    kind: ClassVar[StepKind]
    critical: ClassVar[bool] = False
    shown: ClassVar[tuple[str, ...]] = ()

    @property
    def cut_short(self) -> bool:
        """Whether a person who wants out waits no longer for its end."""
        return not self.critical

    async def observe(self, ctx: InstanceContext) -> Facts:
        """What is so before anything is done; recorded with the intent."""
        return {}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Reach the goal; ``key`` is the idempotency key of this attempt. Raises StepError or
        TransportError."""
        raise NotImplementedError

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """After a crash or a lost connection: facts when the goal is met already, None to act
        again (right for every step that may be repeated without harm)."""
        return None
