"""Blocking work beside the event loop, in a thread that can never keep the program from ending.

The loop's own executor is joined at exit, so a hung receiver or a dead network drive would hold
the command up; daemon threads are simply left behind.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """The result of ``work``; when the waiting is cancelled the thread's result is dropped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(deliver: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(lambda: None if future.done() else deliver())
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            problem = error
            tell(lambda: future.set_exception(problem))
        else:
            tell(lambda: future.set_result(result))

    threading.Thread(target=run, name="gapless-sink", daemon=True).start()
    return await future
