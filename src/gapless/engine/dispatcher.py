"""The dispatcher contract: who works on a submitted rollout.

It promises at least one worker per submitted rollout and normally one at a time; fences on the
hosts make "normally" safe. The journal is the truth, a dispatcher's own state is disposable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[str], Awaitable[int]]
"""Works on the rollout with this id until it ends or pauses; returns its exit code. May be called
again at any time, from any process."""


class Dispatcher(Protocol):
    """Gets rollouts worked on."""

    async def submit(self, rollout: str) -> int:
        """Have it worked on; returns its exit code."""
        ...


class InlineDispatcher:
    """The default: the process that submits is the worker."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def submit(self, rollout: str) -> int:
        """Work on it here and now."""
        return await self._handler(rollout)
