"""The only source of time and waiting.

Everything that waits does so through the running event loop, so one virtual loop
(:mod:`gapless.testing.virtual_time`) turns hours of soaking into milliseconds of test.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


class Clock(Protocol):
    """Wall time for records, monotonic time for deadlines, and sleeping. Seconds throughout."""

    def now(self) -> float:
        """Seconds since the epoch; may step, so it is only ever recorded and shown."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; deadlines are made of it."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelled like any await."""
        ...


class LoopClock:
    """Wall time of the machine, monotonic time and sleep of the running event loop."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """The loop's own monotonic time, so that a virtual loop moves it."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of the loop's time."""
        await asyncio.sleep(max(0.0, seconds))


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Cancel the body after ``seconds`` (None: never); raises TimeoutError."""
    async with asyncio.timeout(seconds):
        yield


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await an order. Whoever is cancelled meanwhile waits for its end all the same: what is undone
    next must not be overtaken by it. Cancelled once more it is left alone."""
    order = asyncio.ensure_future(work)
    # Nobody may be left to look at it: no complaint then.
    order.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(order)
    except asyncio.CancelledError:
        await asyncio.wait({order})
        raise
    finally:
        order.cancel()
