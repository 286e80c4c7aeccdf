"""The face for programs with threads: the same words, and nothing to await.

    with Handover.from_environment(units=["orders"]) as handover:
        ...connect, start the threads; in each, for every event that comes:
        handover.offer(order.id, order, book, unit="orders", once="transactional")
        ...
        handover.drained()

Control requests, the locks and kept events are seen to by threads of its own, which never keep the
program from ending. Handlers run in the thread that offers the event; those of kept events run in
``at_once`` threads.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from gapless.handover import opening, signals
from gapless.handover.attending import Attendant
from gapless.handover.carrying import Act, Ask, Script, carry_out
from gapless.handover.claims.asking import ask
from gapless.handover.copy import Copy, log
from gapless.handover.environment import Environment
from gapless.handover.left import Left, left_by
from gapless.handover.loop_thread import LoopThread
from gapless.handover.status import status_of
from gapless.handover.units import Unit, Units
from gapless.handover.work import Outcome, Work, work_of
from gapless.handover.workers import Workers

Event = TypeVar("Event")


class Handover:
    """One copy of the program. Where ``HANDOVER_DIR`` is not set it handles everything at once."""

    def __init__(
        self,
        environment: Environment,
        variables: Mapping[str, str],
        units: Units,
        *,
        limit: float,
        at_once: int,
    ) -> None:
        self._environment, self._variables = environment, variables
        self._units, self._limit = units, limit
        self._over = threading.Event()
        self._kept = Workers(at_once)
        self._opened: tuple[Copy, Attendant, LoopThread] | None = None
        self._before: dict[signal.Signals, Any] = {}

    @classmethod
    def from_environment(
        cls,
        units: Iterable[str] = (),
        *,
        life: float = 60.0,
        limit: float = 30.0,
        at_once: int = 16,
        lock: str = "",
        variables: Mapping[str, str] = os.environ,
    ) -> Self:
        """``units``: what must be connected and alive before the program is ready; ``life``:
        seconds without an event or heartbeat after which one is not alive; ``limit``: seconds for
        finishing what was begun; ``at_once``: how many kept events are handled at a time, 1 keeps
        their order; ``lock``: where claims are kept unless ``HANDOVER_LOCK`` says otherwise.

        Ends the program with status 78 where a variable holds what is none."""
        environment = opening.environment_of(variables, lock)
        return cls(environment, variables, Units(units, life), limit=limit, at_once=at_once)

    def __enter__(self) -> Self:
        """Ends the program with status 75 where another epoch has taken over."""
        copy = opening.open_copy(self._environment, self._units, self._limit)
        if copy.store is not None:
            copy.begin = getattr(copy.store, "begin", copy.begin)
        attendant = Attendant(copy, self._begin, self._over.set, self._variables)
        self._opened = (copy, attendant, LoopThread())
        self._kept.start()
        self._catch_signals()
        self._loop.run(attendant.start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._loop.run(self._attendant.stop())
        self._loop.end()
        self._kept.end()
        if error is None and self._copy.obsolete is not None:
            raise self._copy.obsolete

    def unit(self, name: str) -> Unit:
        """A shard, partition or subscription. Raises ValueError for one that was not named."""
        return self._units[name]

    def add_unit(self, name: str) -> Unit:
        """A unit that came later; the same one again where it is there."""
        return self._units.add(name)

    def remove_unit(self, name: str) -> None:
        """A unit that belongs to somebody else now."""
        self._units.remove(name)

    @overload
    def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event], None],
        *,
        once: Literal["at-most-once", "at-least-once"],
        unit: str | None = None,
    ) -> Outcome: ...
    @overload
    def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event, str], None],
        *,
        once: Literal["idempotent-key"],
        unit: str | None = None,
    ) -> Outcome: ...
    @overload
    def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event, Any], None],
        *,
        once: Literal["transactional"],
        unit: str | None = None,
    ) -> Outcome: ...
    def offer(
        self,
        event_id: str | int,
        event: Any,
        handle: Callable[..., None],
        *,
        once: str,
        unit: str | None = None,
    ) -> Outcome:
        """Handles the event, keeps it, or leaves it to the other copy, and says which.

        ``once`` names what a crash in the middle may do. ``idempotent-key`` gives the handler the
        event's id as second argument, ``transactional`` the open transaction's connection. What the
        handler raises is raised here; what it raises for an event that was kept is logged."""
        work = work_of(event_id, event, handle, once)
        if unit is not None:
            self._units[unit].beat()
        if not self._copy.take(work):
            return Outcome.KEPT
        return self._carry(work, carry_out(self._copy, work), _nobody_waits)

    def follow_up(self) -> AbstractContextManager[None]:
        """Something that belongs to an earlier event and must come to its end here: a dialogue that
        waits for an answer, say. Draining waits for it."""
        return self._copy.follow_up()

    def drained(self) -> Left:
        """Returns when this copy is to end: what was begun is finished, or the deadline is over.

        Ends the program with status 75 where another epoch has taken over meanwhile."""
        self._over.wait()
        if self._copy.obsolete is not None:
            raise self._copy.obsolete
        return left_by(self._copy)

    def end(self) -> None:
        """As TERM does: finish what was begun, take nothing new."""
        self._copy.end()
        self._loop.soon(self._attendant.wake)

    @property
    def state(self) -> str:
        """BOOTING, STANDBY, ACTIVE or DRAINING."""
        return self._copy.machine.state.value

    @property
    def ready(self) -> bool:
        """Every unit is connected and alive."""
        return self._copy.ready

    def status(self) -> dict[str, object]:
        """As ``GET /handover`` answers it."""
        return status_of(self._copy)

    @property
    def _copy(self) -> Copy:
        return self._entered[0]

    @property
    def _attendant(self) -> Attendant:
        return self._entered[1]

    @property
    def _loop(self) -> LoopThread:
        return self._entered[2]

    @property
    def _entered(self) -> tuple[Copy, Attendant, LoopThread]:
        if self._opened is None:
            raise RuntimeError("`with` the handover first")
        return self._opened

    async def _begin(self, work: Work, script: Script) -> None:
        begun = asyncio.Event()
        loop = self._loop

        def carry() -> None:
            try:
                self._carry(work, script, lambda: loop.soon(begun.set))
            except BaseException:
                log.exception("event %s: the handler failed", work.id)

        self._kept.put(carry)
        await begun.wait()

    def _carry(self, work: Work, script: Script, begun: Callable[[], None]) -> Outcome:
        try:
            step = next(script)
            while True:
                try:
                    result = _perform(step, begun)
                except BaseException as error:
                    step = script.throw(error)
                else:
                    step = script.send(result)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        finally:
            begun()
            self._copy.done(work)

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            self._copy.problems["signals"] = "signals reach the main thread alone"
            return
        for number, act in signals.meanings(self._copy).items():
            self._before[number] = signal.signal(number, self._signalled(act))

    def _signalled(self, act: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        def elsewhere() -> None:
            act()
            self._attendant.wake()

        # the main thread may be in the middle of what the signal is about
        return lambda number, frame: self._loop.soon(elsewhere)


def _perform(step: Ask | Act, begun: Callable[[], None]) -> Any:
    if isinstance(step, Ask):
        return ask(step.call, step.arguments, step.limit)
    begun()
    return step.handle(*step.arguments)


def _nobody_waits() -> None:
    pass
