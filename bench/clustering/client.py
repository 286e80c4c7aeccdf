"""A client at a steady rate beside everything else, on a thread of its own: that of ``--prove``."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from bench.clustering.seen import Seen
from gapless.clock import LoopClock
from gapless.prove.load import Load
from gapless.prove.workload import Workload

BUDGET = 2.0
"""Seconds for which one operation is tried again; what takes longer has failed."""
_PATIENCE = 120.0
T = TypeVar("T")


class Client:
    """Writes and reads for the time of its context. ``made`` makes the workload for a run."""

    def __init__(self, made: Callable[[str], Workload], rate: float) -> None:
        self._run = secrets.token_hex(4)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._load = Load("store", made(self._run), rate, BUDGET, LoopClock(), self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._await(self._load.open())
            self._await(self._begin())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def mark(self) -> None:
        """What comes now is during the roll."""
        self._loop.call_soon_threadsafe(self._load.mark_change)

    def finish(self, seconds: float, gates: float = 0.0, moves: float = 0.0) -> Seen:
        """All that was acknowledged is read back; what it saw of a roll of so many seconds, and
        what these went to."""
        self._await(self._load.finish())
        view = self._load.view()
        latencies = self._load._tally.during  # of the longest nobody tells but the histogram
        longest = latencies.percentile(100) or 0.0
        return Seen(
            operations=view.gap.sent,
            failed=view.gap.failed,
            first=view.retried,
            lost=view.lost,
            unread=view.unread,
            gap=view.gap.longest_silence,
            longest=max(longest, BUDGET) if view.gap.failed else longest,
            before=view.gap.p99_before or 0.0,
            during=view.gap.p99_during or 0.0,
            seconds=seconds,
            gates=gates,
            moves=moves,
            failures=tuple(f"{one.at:.1f} s: {one.what[:120]}" for one in view.gap.failures),
        )

    async def _begin(self) -> None:
        self._load.begin()

    def _await(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE)

    def _close(self) -> None:
        try:
            self._await(self._load.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
