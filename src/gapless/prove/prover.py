"""Sends requests at a steady rate while something is changed, and measures what clients miss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gapless.clock import Clock, within
from gapless.config.project import ProveConfig
from gapless.config.quantities import format_duration
from gapless.prove.gap import Gap
from gapless.prove.http import Answer, Asker, BrokenError, Client
from gapless.prove.pace import Pace
from gapless.prove.program import Program
from gapless.prove.tally import Tally, version_in
from gapless.prove.words import told


@dataclass(frozen=True, slots=True)
class Record:
    """One request: seconds since the first was due, how long it took, and what was wrong."""

    start: float
    latency: float
    ok: bool
    error: str
    kept: bool
    """Whether it was meant for a connection kept alive; else for a new one."""


class Prover:
    """Open-loop load for the time of its context.

        async with Prover(config, clock) as prover:
            ...                         # the baseline
            prover.mark("change")
            ...                         # the change
        print(prover.gap())

    Half of the requests take a new connection, half one that is kept alive. One whose connection
    the server closed while it was idle takes another, as every client does; a connection that
    breaks after the request was sent is a failure, and is never retried.
    """

    def __init__(
        self,
        config: ProveConfig,
        clock: Clock,
        *,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._on_record = on_record
        self._asker: Asker = Client(config.url) if config.url else Program(config.command or ())
        self._tally = Tally()
        self._running: set[asyncio.Task[None]] = set()
        self._pacing: asyncio.Task[None] | None = None
        self._pace = Pace(config.rate, 0.0)
        self._begun = 0.0
        self._ended: float | None = None

    async def __aenter__(self) -> Self:
        self._begun = self._clock.monotonic()
        self._pace = Pace(self._config.rate, self._begun)
        self._pacing = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._pacing is not None
        self._ended = self._fair()
        self._pace.stop()
        # Requests under way end by themselves within their time; not when we are being cancelled.
        await _cancel({self._pacing} if error is None else {self._pacing, *self._running})
        try:
            await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            await _cancel(self._running)
            self._asker.close()

    def mark(self, what: str) -> None:
        """``change``: the baseline ends, answers from now on count as during the change."""
        if what != "change":
            raise ValueError(f"there is no mark {what!r}")
        self._tally.changing = True

    def gap(self) -> Gap:
        """The gap so far, and after the context the whole of it."""
        at = self._fair() if self._ended is None else self._ended
        return self._tally.gap(at, self._pace.late, self._config.rate)

    def _fair(self) -> float:
        """Seconds since the first request was due, without our own stalls."""
        return self._pace.fair(self._clock.monotonic()) - self._begun

    async def _send(self) -> None:
        kept = False
        while True:
            await self._clock.sleep(self._pace.nap(self._clock.monotonic()))
            start = self._fair()
            if not self._pace.take(self._clock.monotonic()):
                continue
            task = asyncio.create_task(self._one(start, kept=kept))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            kept = not kept

    async def _one(self, start: float, *, kept: bool) -> None:
        answer, error, timed_out = None, "", False
        try:
            async with within(self._config.timeout):
                answer = await self._asker.ask(kept=kept)
        except TimeoutError:
            timed_out = True
            error = f"no answer within {format_duration(self._config.timeout)}"
        except (OSError, BrokenError) as problem:
            error = told(problem)
        end = self._fair()
        if timed_out and end - start < self._config.timeout * 0.9:
            self._tally.undecided()  # the time ran out while we were stalled ourselves
            return
        self._judge(start, end, answer, error, kept=kept)

    def _judge(
        self, start: float, end: float, answer: Answer | None, error: str, *, kept: bool
    ) -> None:
        if answer is not None:
            error = self._wrong(answer)
        if answer is not None and not error:
            self._tally.good(end - start, end, version_in(answer.body))
        else:
            self._tally.bad(start, error, kept=kept)
        if self._on_record:
            self._on_record(Record(start, end - start, not error, error, kept))

    def _wrong(self, answer: Answer) -> str:
        """What is wrong with an answer, "" when it is as expected."""
        said = answer.body[:80].decode(errors="replace").strip()
        if self._config.command:
            return f"ended with {answer.status}: {said}" if answer.status else ""
        expect = self._config.expect
        good = 200 <= answer.status < 300 if expect == "2xx" else answer.status == expect
        return "" if good else f"status {answer.status}: {said}"


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """End tasks and wait until they have ended."""
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
