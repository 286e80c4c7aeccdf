"""All that a cluster acknowledged, asked for at the end.

1. All of it is asked for once, several at a time. Then what was not found is asked for again every
   50 ms: what is not there when the budget is over, counted from the end of the first round, is
   lost.
2. What nobody tells of is asked for longer: that a cluster is silent says nothing of what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from gapless.clock import Clock, within
from gapless.prove.workload import NotDone

_AGAIN = 0.05
_AT_ONCE = 10


class MissingError(NotDone):
    """It answered, and what was acknowledged is not there."""


async def read_back(
    numbers: Iterable[int],
    find: Callable[[int], Awaitable[None]],
    budget: float,
    patience: float,
    clock: Clock,
) -> tuple[list[int], list[int]]:
    """Those that are not there, and those of which nobody tells. ``find`` raises MissingError, or
    NotDone and OSError where it cannot tell."""
    missing, silent = await _looked(sorted(numbers), find, budget)
    began = clock.monotonic()  # not before: many values take their time
    while True:
        passed = clock.monotonic() - began
        if not (missing and passed < budget) and not (silent and passed < patience):
            return missing, silent
        await clock.sleep(_AGAIN)
        missing, silent = await _looked([*missing, *silent], find, budget)


async def _looked(
    numbers: Iterable[int], find: Callable[[int], Awaitable[None]], limit: float
) -> tuple[list[int], list[int]]:
    gate = asyncio.Semaphore(_AT_ONCE)
    missing: list[int] = []
    silent: list[int] = []

    async def look(number: int) -> None:
        async with gate:
            try:
                async with within(limit):
                    await find(number)
            except MissingError:
                missing.append(number)
            except (NotDone, OSError):  # a TimeoutError is one
                silent.append(number)

    await asyncio.gather(*map(look, numbers))
    return missing, silent
