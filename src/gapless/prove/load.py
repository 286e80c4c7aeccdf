"""A client of a cluster that goes on at a steady rate while its members are restarted.

1. Operations are due at a fixed rate, whether or not earlier ones came back (``Pace``): in turn a
   write of the next number, and a read of the newest value that was acknowledged.
2. One that comes to nothing is tried again every 50 ms, as clients do, until its budget is spent;
   then it has failed. Its time counts from when it was due. That the first attempt came to nothing
   is counted apart. A read that does not find what was acknowledged has come to nothing, too.
3. At the end every value that was acknowledged is read back. One that is still not there, or is
   another one, when the budget is over is lost; one that nobody could be asked for is unread, and
   not taken for there.
4. Then the place is removed, and looked at: it is gone when the cluster says so. So it is also
   after an error or an interrupt, with nothing read back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

from gapless.clock import Clock, within
from gapless.config.quantities import format_duration
from gapless.prove.client_view import ClientView
from gapless.prove.pace import Pace
from gapless.prove.read_back import MissingError, read_back
from gapless.prove.tally import Tally
from gapless.prove.words import told
from gapless.prove.workload import NotDone, Workload

AGAIN = 0.05
"""Seconds from an attempt that came to nothing to the next one."""
PATIENCE = 10.0
"""Seconds for a cluster to let a client in at first, to tell what it has, and to remove it."""
_FIRST = 5  # lost values that are told


class Load:
    """The load of one cluster; ``run`` is in every value, so that nobody else's is taken for one
    of ours."""

    def __init__(
        self, service: str, workload: Workload, rate: float, budget: float, clock: Clock, run: str
    ) -> None:
        self.service = service
        self.workload = workload
        self._rate, self._budget = rate, budget
        self._clock, self._run = clock, run
        self._tally = Tally()
        self._pace = Pace(rate, 0.0)
        self._begun = 0.0
        self._ended: float | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._acknowledged: set[int] = set()
        self._newest = 0
        self._retried = 0
        self._lost: list[int] = []
        self._unread = 0
        self._prepared = self._opened = False
        self._left = ""

    async def open(self) -> None:
        """Its place is made, and one value written and read there. Raises NotDone where the cluster
        lets nobody do so within ten seconds."""
        until = self._clock.monotonic() + PATIENCE
        self._prepared = True  # what was refused may have been done
        while why := await self._tried():
            if self._clock.monotonic() >= until:
                raise NotDone(why)
            await self._clock.sleep(AGAIN)
        self._acknowledged.add(0)
        self._opened = True

    def begin(self) -> None:
        """From now on operations are due."""
        self._begun = self._clock.monotonic()
        self._pace = Pace(self._rate, self._begun)
        self._pacing = asyncio.create_task(self._send())

    def mark_change(self) -> None:
        """The baseline ends."""
        self._tally.changing = True

    async def finish(self) -> None:
        """Nothing new is due; what is under way is waited for, what was acknowledged is read back,
        and the place removed."""
        await self._stop(cancelled=False)
        missing, silent = await read_back(
            self._acknowledged, self._found, self._budget, PATIENCE, self._clock
        )
        self._lost, self._unread = sorted(missing), len(silent)
        await self._clear()

    async def close(self) -> None:
        """Whatever it was doing, nothing of it is left, as far as the cluster lets us; one that
        never let us in is asked once."""
        try:
            await self._stop(cancelled=True)
            await self._clear()
        finally:
            await self.workload.close()

    def view(self) -> ClientView:
        """So far, and after ``finish`` the whole of it."""
        at = self._fair() if self._ended is None else self._ended
        return ClientView(
            self.service,
            self.workload.kind,
            self._tally.gap(at, self._pace.late, self._rate),
            retried=self._retried,
            acknowledged=len(self._acknowledged),
            lost=len(self._lost),
            unread=self._unread,
            first_lost=tuple(self._lost[:_FIRST]),
            left=self._left,
        )

    # -- the load -----------------------------------------------------------------------------

    def _fair(self) -> float:
        """Seconds since the first operation was due, without our own stalls."""
        return self._pace.fair(self._clock.monotonic()) - self._begun

    async def _send(self) -> None:
        numbers, writes = itertools.count(1), True
        while True:
            await self._clock.sleep(self._pace.nap(self._clock.monotonic()))
            self._fair()  # a stall is noticed before anything is due
            if not self._pace.take(self._clock.monotonic()):
                continue
            due = self._pace.taken - self._begun
            number = next(numbers) if writes else self._newest
            task = asyncio.create_task(self._one(due, number, writes=writes))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            writes = not writes

    async def _one(self, due: float, number: int, *, writes: bool) -> None:
        why, attempts = await self._attempt(number, writes=writes), 1
        while why and self._fair() + AGAIN < due + self._budget:
            await self._clock.sleep(AGAIN)
            why, attempts = await self._attempt(number, writes=writes), attempts + 1
        end = self._fair()
        self._retried += attempts > 1 or bool(why)
        if why:
            did = "write" if writes else "read"
            self._tally.bad(due, f"{did} of {number}: {why}", kept=True)
            return
        self._tally.good(end - due, end, "")
        if writes:
            self._acknowledged.add(number)
            self._newest = max(self._newest, number)

    async def _attempt(self, number: int, *, writes: bool) -> str:
        """What came of it where it came to nothing; else ""."""
        limit = self._budget / 2  # a member that is silent leaves time to ask another one
        try:
            async with within(limit):
                if writes:
                    await self.workload.write(number, self._value(number))
                else:
                    await self._found(number)
        except TimeoutError:
            return f"no answer within {format_duration(limit)}"
        except NotDone as refused:
            return str(refused)
        except OSError as problem:
            return told(problem)
        return ""

    async def _found(self, number: int) -> None:
        """Raises MissingError where it is not there."""
        found = await self.workload.read(number)
        if found is None:
            raise MissingError(f"{number} was acknowledged and is not there")
        if found != self._value(number):
            raise MissingError(f"{number} was acknowledged and is another one: {found[:80]}")

    def _value(self, number: int) -> str:
        return f"{self._run}.{number}"

    async def _tried(self) -> str:
        """Why nothing can be written and read; "" where it can."""
        try:
            async with within(PATIENCE):
                await self.workload.prepare()
        except TimeoutError:
            return f"no answer within {format_duration(PATIENCE)}"
        except NotDone as refused:
            return str(refused)
        except OSError as problem:
            return told(problem)
        return await self._attempt(0, writes=True) or await self._attempt(0, writes=False)

    # -- the end ------------------------------------------------------------------------------

    async def _stop(self, *, cancelled: bool) -> None:
        if self._pacing is not None:
            if self._ended is None:
                self._ended = self._fair()
            self._pace.stop()
            await _cancel([self._pacing])
        if cancelled:
            await _cancel(self._running)
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _clear(self) -> None:
        if not self._prepared or not self.workload.removes:
            return
        until = self._clock.monotonic() + (PATIENCE if self._opened else 0.0)
        while why := await self._cleared():
            if self._clock.monotonic() >= until:
                self._left = f"{self.workload.place}: {why}"
                break
            await self._clock.sleep(AGAIN)
        self._prepared = False

    async def _cleared(self) -> str:
        """Why something may be left."""
        try:
            async with within(PATIENCE):
                await self.workload.clear()
                left = await self.workload.read(0)
        except TimeoutError:
            return f"no answer within {format_duration(PATIENCE)}"
        except NotDone as refused:
            return str(refused)
        except OSError as problem:
            return told(problem)
        return "" if left is None else "it was removed, and is still there"


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End tasks and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
