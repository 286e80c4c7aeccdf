"""Asking again while the answer is *busy*, after short random times, so that nobody is starved.

The first times are the shortest: who has the lock has it for some 20 µs.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from gapless.handover.claims.store import Busy, NoAnswer

T = TypeVar("T")

_SHORTEST = 20e-6
_LONGEST = 1e-3
_TOO_SHORT = 160e-6
"""What an asyncio loop cannot sleep: it counts in milliseconds."""


def ask(call: Callable[..., T], arguments: tuple[Any, ...], limit: float) -> T:
    """Raises NoAnswer, also after ``limit`` seconds of Busy."""
    ends, pauses = time.monotonic() + limit, _pauses()
    while True:
        try:
            return call(*arguments)
        except Busy as busy:
            _give_up_after(ends, limit, busy)
        time.sleep(next(pauses))


async def ask_async(call: Callable[..., Any], arguments: tuple[Any, ...], limit: float) -> Any:
    """The same beside other tasks; ``call`` answers at once, or is a coroutine function."""
    ends, pauses = time.monotonic() + limit, _pauses()
    while True:
        try:
            answer = call(*arguments)
            return await answer if asyncio.iscoroutine(answer) else answer
        except Busy as busy:
            _give_up_after(ends, limit, busy)
        pause = next(pauses)
        if pause < _TOO_SHORT:
            time.sleep(pause)  # noqa: ASYNC251
        else:
            await asyncio.sleep(pause)


def _give_up_after(ends: float, limit: float, busy: Busy) -> None:
    if time.monotonic() > ends:
        raise NoAnswer(f"{busy} for {limit:g} s") from busy


def _pauses() -> Iterator[float]:
    """Seconds, for ever."""
    longest = 2 * _SHORTEST
    while True:
        yield random.uniform(_SHORTEST, longest)  # noqa: S311
        longest = min(2 * longest, _LONGEST)
