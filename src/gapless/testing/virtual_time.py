"""Virtual time: an event loop that jumps to its next timer instead of sleeping.

Hours of soaking cost milliseconds, every run takes the same course, and a program that waits for
something that cannot happen any more is told so at once (``Deadlock``) instead of hanging.

    result = run_virtual(rollout())
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_767_225_600.0
"""2026-01-01T00:00:00Z, where virtual wall clocks begin."""


class Deadlock(AssertionError):
    """Nothing is ready, nothing is scheduled, and the program still waits."""


class _Jump:
    """Stands where the loop keeps its selector: waiting is moving the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock(_standstill(self._loop))
        if timeout > 0:
            self._loop.advance(timeout)
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop without files or sockets whose time is a number.

    ``run_in_executor`` (and so ``asyncio.to_thread``) calls its function at once, in this thread:
    a second thread would bring back real time and chance.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Jump(self)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass without running anything."""
        self._now += seconds

    def run_in_executor(
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call ``func`` now; the future is done when this returns."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """No file ever becomes ready."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector that would have to be woken."""


def run_virtual(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a coroutine under virtual time to its end; like ``asyncio.run``."""
    with asyncio.Runner(debug=debug, loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class VirtualClock:
    """A ``gapless.clock.Clock``: wall time is ``base`` plus the loop's time plus every step."""

    def __init__(self, base: float = EPOCH) -> None:
        self._base = base

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._base + self.monotonic()

    def monotonic(self) -> float:
        """The running loop's time; 0 where none runs."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of the loop's time."""
        await asyncio.sleep(max(0.0, seconds))

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as time synchronisation does; waits go on."""
        self._base += seconds


def _standstill(loop: VirtualLoop) -> str:
    waiting = [_where(task) for task in asyncio.all_tasks(loop) if not task.done()]
    return f"time stands still at {loop.time():g} s, nothing is scheduled; waiting:\n" + "\n".join(
        f"  {line}" for line in sorted(waiting)
    )


def _where(task: asyncio.Task[Any]) -> str:
    """The innermost line a task waits at, and the outermost."""
    frames = []
    inner: Any = task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            frames.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return f"{task.get_name()}: " + (" < ".join(reversed(frames[-3:])) or "not started")
