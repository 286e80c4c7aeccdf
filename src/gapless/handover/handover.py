"""The face for programs with asyncio.

async with Handover.from_environment(units=["shard-0"]) as handover:
    ...connect; then for every event that comes:
    await handover.offer(message.id, message, answer, unit="shard-0", once="idempotent-key")
    ...
    await handover.drained()
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from gapless.handover import opening, signals
from gapless.handover.attending import Attendant
from gapless.handover.carrying import Act, Ask, Script, carry_out
from gapless.handover.copy import Copy, log
from gapless.handover.environment import Environment
from gapless.handover.left import Left, left_by
from gapless.handover.status import status_of
from gapless.handover.units import Unit, Units
from gapless.handover.work import Outcome, Work, work_of

Event = TypeVar("Event")
Doing = Awaitable[None] | None


class Handover:
    """One copy of the program. Where ``HANDOVER_DIR`` is not set it handles everything at once."""

    def __init__(
        self,
        environment: Environment,
        variables: Mapping[str, str],
        units: Units,
        *,
        limit: float,
        at_once: int | None,
    ) -> None:
        self._environment, self._variables = environment, variables
        self._units, self._limit = units, limit
        self._slots = asyncio.Semaphore(at_once) if at_once else None
        self._over = asyncio.Event()
        self._handling: set[asyncio.Task[Outcome]] = set()
        self._opened: tuple[Copy, Attendant] | None = None
        self._caught: list[signal.Signals] = []

    @classmethod
    def from_environment(
        cls,
        units: Iterable[str] = (),
        *,
        life: float = 60.0,
        limit: float = 30.0,
        at_once: int | None = None,
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

    async def __aenter__(self) -> Self:
        """Ends the program with status 75 where another epoch has taken over."""
        # waiting for an earlier process of this id is short, and nothing else is there yet
        copy = opening.open_copy(self._environment, self._units, self._limit)
        if copy.store is not None:
            begin = getattr(copy.store, "begin", copy.begin)
            copy.begin = getattr(copy.store, "begin_async", begin)
        attendant = Attendant(copy, self._begin, self._over.set, self._variables)
        self._opened = (copy, attendant)
        self._catch_signals()
        await attendant.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._handling:
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)
        loop = asyncio.get_running_loop()
        for caught in self._caught:
            loop.remove_signal_handler(caught)
        await self._attendant.stop()
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
    async def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event], Doing],
        *,
        once: Literal["at-most-once", "at-least-once"],
        unit: str | None = None,
    ) -> Outcome: ...
    @overload
    async def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event, str], Doing],
        *,
        once: Literal["idempotent-key"],
        unit: str | None = None,
    ) -> Outcome: ...
    @overload
    async def offer(
        self,
        event_id: str | int,
        event: Event,
        handle: Callable[[Event, Any], Doing],
        *,
        once: Literal["transactional"],
        unit: str | None = None,
    ) -> Outcome: ...
    async def offer(
        self,
        event_id: str | int,
        event: Any,
        handle: Callable[..., Doing],
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
        return await self._carry(work, carry_out(self._copy, work), _nobody_waits)

    def follow_up(self) -> AbstractContextManager[None]:
        """Something that belongs to an earlier event and must come to its end here: a dialogue that
        waits for an answer, say. Draining waits for it."""
        return self._copy.follow_up()

    async def drained(self) -> Left:
        """Returns when this copy is to end: what was begun is finished, or the deadline is over.

        Ends the program with status 75 where another epoch has taken over meanwhile."""
        await self._over.wait()
        if self._copy.obsolete is not None:
            raise self._copy.obsolete
        return left_by(self._copy)

    def end(self) -> None:
        """As TERM does: finish what was begun, take nothing new."""
        self._copy.end()
        self._attendant.wake()

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
    def _entered(self) -> tuple[Copy, Attendant]:
        if self._opened is None:
            raise RuntimeError("`async with` the handover first")
        return self._opened

    async def _begin(self, work: Work, script: Script) -> None:
        if self._slots is not None:
            await self._slots.acquire()
        begun = asyncio.Event()
        task = asyncio.create_task(self._carry(work, script, begun.set), name=f"event {work.id}")
        self._handling.add(task)
        task.add_done_callback(self._handled)
        await begun.wait()

    def _handled(self, task: asyncio.Task[Outcome]) -> None:
        self._handling.discard(task)
        if self._slots is not None:
            self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: the handler failed", task.get_name(), exc_info=error)

    async def _carry(self, work: Work, script: Script, begun: Callable[[], None]) -> Outcome:
        try:
            step = next(script)
            while True:
                try:
                    result = await self._perform(step, begun)
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
            self._attendant.wake_if_draining()

    async def _perform(self, step: Ask | Act, begun: Callable[[], None]) -> Any:
        if isinstance(step, Ask):
            return await self._attendant.ask(step)
        begun()
        doing = step.handle(*step.arguments)
        return await doing if inspect.isawaitable(doing) else doing

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number, act in signals.meanings(self._copy).items():
            try:
                loop.add_signal_handler(number, self._signalled, act)
            except (ValueError, RuntimeError):
                self._copy.problems["signals"] = "signals reach the main thread alone"
                return
            self._caught.append(number)

    def _signalled(self, act: Callable[[], None]) -> None:
        act()
        self._attendant.wake()


def _nobody_waits() -> None:
    pass


__all__ = ["Handover", "Left", "Outcome", "Unit"]
