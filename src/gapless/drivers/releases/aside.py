"""Work that takes its time, done for a caller that is no coroutine: in a thread with a loop of its
own. A caller that is cancelled takes it along: see ``cancellable``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")
_GIVEN_UP: ContextVar[Event | None] = ContextVar("given_up", default=None)
_EVERY = 0.1
"""Seconds between two looks at whether somebody still wants it."""


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end; its result or its error."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(asyncio.run(_watched(work)))
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=copy_context().run, args=(run,), name="release")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


async def cancellable(ask: Callable[[], T]) -> T:
    """What ``ask`` answers, from a thread; when we are cancelled, what it ``finish``es is, too."""
    given_up = Event()
    token = _GIVEN_UP.set(given_up)
    asking = asyncio.ensure_future(asyncio.to_thread(ask))
    _GIVEN_UP.reset(token)
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        given_up.set()
        await asyncio.wait([asking])
        raise


async def _watched(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    given_up = _GIVEN_UP.get()
    while not task.done():
        await asyncio.wait([task], timeout=None if given_up is None else _EVERY)
        if given_up is not None and given_up.is_set():
            task.cancel()
    return await task
