"""One sink with its queue: tried in order, backed off from, never waited for."""

from __future__ import annotations

import asyncio
from collections import deque

from gapless.clock import Clock, within
from gapless.drivers.sinks.base import Sink, SinkError
from gapless.drivers.sinks.spool import Spool
from gapless.events.event import TRANSIENT, Event

LIMIT = 100_000
"""Events that wait in memory at most; then the oldest are dropped and counted."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries: doubled from the first to the longest."""


class Route:
    """Brings events to one sink. ``types`` are types or prefixes; none means all."""

    def __init__(
        self, sink: Sink, types: tuple[str, ...], clock: Clock, spool: Spool | None = None
    ) -> None:
        self.sink = sink
        self.lost = 0
        self.problem = ""
        self._types = types
        self._clock = clock
        self._spool = spool
        self._queue: deque[Event] = deque(spool.take() if spool else ())
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name=f"sink {sink.name}")

    def wants(self, event: Event) -> bool:
        """Whether the event is for this sink; readings for the live view only by full name."""
        if event.type in TRANSIENT:
            return event.type in self._types
        return not self._types or any(
            event.type == wanted or event.type.startswith(wanted.rstrip("*").rstrip(".") + ".")
            for wanted in self._types
        )

    def offer(self, event: Event) -> None:
        """Take the event and return at once."""
        self._queue.append(event)
        if len(self._queue) > LIMIT:
            self._queue.popleft()
            self.lost += 1
        self._idle.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def close(self) -> str:
        """Stop; what waits is kept if the sink is spooled. Returns what has to be told, or ""."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        waiting = len(self._queue)
        if self._spool is not None:
            waiting = self._keep(waiting)
        else:
            self.lost, waiting = self.lost + waiting, 0
        return self._complaint(waiting)

    def _keep(self, waiting: int) -> int:
        try:
            assert self._spool is not None
            self._spool.put_back(self._queue)
        except OSError as error:
            self.problem = f"{self.problem}; the spool cannot be written: {error.strerror}"
            self.lost += waiting
            return 0
        return waiting

    def _complaint(self, waiting: int) -> str:
        told = []
        if waiting:
            told.append(f"{_waiting(waiting)} at the next run")
        if self.lost:
            told.append(f"{_events(self.lost)} not delivered (gapless events has them)")
        last = f"; last answer: {self.problem}" if self.problem else ""
        return f"{self.sink.name}: {', '.join(told)}{last}" if told else ""

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._wake.wait()
            while self._queue:
                asked = await self._next()
                if asked is None:
                    pause = FIRST_PAUSE
                    continue
                await self._clock.sleep(max(pause, asked))
                pause = min(pause * 2, LONGEST_PAUSE)
            self._wake.clear()
            self._idle.set()

    async def _next(self) -> float | None:
        """Try the oldest event. None: it is dealt with; else seconds to wait at least."""
        event = self._queue.popleft()
        try:
            async with within(self.sink.deadline):
                await self.sink.deliver(event)
        except SinkError as error:
            return self._failed(event, error)
        except TimeoutError:
            return self._failed(event, SinkError(f"no end within {self.sink.deadline:g} s"))
        except asyncio.CancelledError:
            self._queue.appendleft(event)
            raise
        except Exception as error:  # a sink's bug is the sink's affair, not the rollout's
            return self._failed(event, SinkError(repr(error), retry=False))
        return None

    def _failed(self, event: Event, error: SinkError) -> float | None:
        self.problem = error.what
        if self.sink.spooled and error.retry:
            self._queue.appendleft(event)
            return error.after
        self.lost += 1
        return None


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"


def _waiting(number: int) -> str:
    wait = "waits on disk and is sent" if number == 1 else "wait on disk and are sent"
    return f"{_events(number)} {wait}"
