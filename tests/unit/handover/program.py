"""A bot whose gateway is the clock: event n is delivered at n / RATE seconds of the clock that all
processes of this host share, a little later to some. An effect is one line at the end of a file, or
one row of a database.

    program.py FACE [LEVEL [RATE [SKEW_MS [WORK_MS]]]]
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from gapless.handover import Handover, threads

FACE = sys.argv[1]
LEVEL: Any = sys.argv[2] if len(sys.argv) > 2 else "at-least-once"
RATE = float(sys.argv[3]) if len(sys.argv) > 3 else 200.0
SKEW = float(sys.argv[4]) / 1000 if len(sys.argv) > 4 else 0.0
WORK = float(sys.argv[5]) / 1000 if len(sys.argv) > 5 else 0.0
EFFECTS = os.open(
    Path(os.environ["HANDOVER_DIR"]) / "effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666
)


def act(event: int, *given: Any) -> None:
    if LEVEL == "transactional":
        given[0].execute("CREATE TABLE IF NOT EXISTS effects (line TEXT)")
        given[0].execute("INSERT INTO effects VALUES (?)", (line(event),))
    else:
        os.write(EFFECTS, f"{line(event)}\n".encode())


async def act_and_wait(event: int, *given: Any) -> None:
    """So that a kill may find it before its effect, or after it and not done yet."""
    await asyncio.sleep(random.uniform(0, WORK))
    act(event, *given)
    await asyncio.sleep(random.uniform(0, WORK))


def line(event: int) -> str:
    return f"{event} {os.environ['HANDOVER_ID']}"


def due(event: int) -> float:
    return event / RATE + random.uniform(0, SKEW)


async def with_asyncio() -> None:
    async def deliver() -> None:
        event = int(time.monotonic() * RATE) + 1
        while True:
            await asyncio.sleep(max(0.0, due(event) - time.monotonic()))
            await handover.offer(event, event, act_and_wait, unit="clock", once=LEVEL)
            event += 1

    async with Handover.from_environment(units=["clock"]) as handover:
        handover.unit("clock").connected()
        delivering = asyncio.create_task(deliver())
        drained = asyncio.create_task(handover.drained())
        await asyncio.wait([delivering, drained], return_when=asyncio.FIRST_COMPLETED)
        delivering.cancel()
        await drained


def with_threads() -> None:
    with threads.Handover.from_environment(units=["clock"]) as handover:

        def deliver() -> None:
            event = int(time.monotonic() * RATE) + 1
            while True:
                time.sleep(max(0.0, due(event) - time.monotonic()))
                handover.offer(event, event, act, unit="clock", once=LEVEL)
                event += 1

        handover.unit("clock").connected()
        threading.Thread(target=deliver, daemon=True).start()
        handover.drained()


if FACE == "asyncio":
    asyncio.run(with_asyncio())
else:
    with_threads()
