"""What goes on beside the program as long as it lives, in an asyncio loop: the program's own one,
or that of a thread.

1. Every 20 ms the copy looks at ``active.lock`` and at its units; every 100 ms once it has that.
2. When it has become ACTIVE, what it kept is offered, oldest first.
3. Events that another copy has in work are looked at; those of the dead are claimed.
4. Old claims are swept away, in small bites.
5. The service manager is told what the copy is.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gapless.handover.carrying import Ask, Script, carry_out, claim_again
from gapless.handover.claims.asking import ask, ask_async
from gapless.handover.claims.store import NoAnswer
from gapless.handover.control import Control
from gapless.handover.copy import Copy, log
from gapless.handover.http import Server
from gapless.handover.listening import tcp_listener, unix_listener
from gapless.handover.machine import State
from gapless.handover.notify import Notify
from gapless.handover.status import words_of
from gapless.handover.work import Work

_WAITING = 0.02
_SETTLED = 0.1
_FULL_BITE = 1000

Begin = Callable[[Work, Script], Awaitable[None]]
"""Has the script carried out, and returns when its claim is decided and its handler has begun."""


class Attendant:
    """One for each copy; all of it runs in one loop."""

    def __init__(
        self, copy: Copy, begin: Begin, over: Callable[[], None], variables: Mapping[str, str]
    ) -> None:
        """``over`` is called once, when the copy has drained."""
        self._copy, self._begin, self._over = copy, begin, over
        self._notify = Notify(variables)
        self._server = Server(Control(copy, self.offered))
        self._looked = asyncio.Event()
        self._wake = asyncio.Event()
        self._offering: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        self._remote = ThreadPoolExecutor(8, "claims")
        self._swept_at = time.monotonic()

    async def start(self) -> None:
        """Looks once, serves control, and goes on beside the program."""
        self._copy.look()
        await self._listen()
        self._beside = [
            asyncio.create_task(self._look_on(), name="handover"),
            asyncio.create_task(self._tend_claims(), name="handover claims"),
        ]

    async def _listen(self) -> None:
        environment = self._copy.environment
        try:
            if environment.folder is not None:
                name = f"ctl-{environment.id}.sock"
                await self._server.listen(unix_listener(environment.folder, name))
            if environment.listen is not None:
                await self._server.listen(tcp_listener(environment.listen))
        except OSError as error:
            # signals are left
            self._copy.problems["control"] = f"control cannot be served: {error.strerror}"
            log.error("control cannot be served: %s", error)

    async def stop(self) -> None:
        """Leaves the folder to the others."""
        tasks = [*self._beside, *([self._offering] if self._offering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # first of all, since the other copy waits for it; the socket may be that of a new one then
        self._remove_socket()
        if self._copy.seat is not None:
            self._copy.seat.leave()
        await self._server.close()
        if self._copy.store is not None:
            await asyncio.get_running_loop().run_in_executor(self._remote, self._copy.store.close)
        self._remote.shutdown(wait=False)

    def _remove_socket(self) -> None:
        environment = self._copy.environment
        if environment.folder is not None and "control" not in self._copy.problems:
            (environment.folder / f"ctl-{environment.id}.sock").unlink(missing_ok=True)

    def wake(self) -> None:
        """Has the copy look at once; called in the loop."""
        self._wake.set()

    def wake_if_draining(self) -> None:
        """The last event may have been finished."""
        if self._copy.machine.state is State.DRAINING:
            self._wake.set()

    async def offered(self) -> None:
        """Has the copy look, and waits until it has offered what it kept."""
        self._looked.clear()
        self._wake.set()
        looked = asyncio.ensure_future(self._looked.wait())
        await asyncio.wait([looked, self._beside[0]], return_when=asyncio.FIRST_COMPLETED)
        looked.cancel()
        if self._offering is not None:
            await asyncio.wait([self._offering])

    async def _look_on(self) -> None:
        while True:
            self._wake.clear()
            self._copy.look()
            if self._copy.machine.offering and (self._offering is None or self._offering.done()):
                self._offering = asyncio.create_task(self._offer_kept(), name="handover buffer")
            self._looked.set()
            self._tell()
            if self._copy.machine.ended:
                self._over()
                return
            await self._pause()

    async def _pause(self) -> None:
        seat, state = self._copy.seat, self._copy.machine.state
        settled = state is State.ACTIVE and (seat is None or seat.holds_active)
        try:
            async with asyncio.timeout(_SETTLED if settled else _WAITING):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _tell(self) -> None:
        if self._copy.ready:
            self._notify.say("READY", "1")
        if self._copy.machine.state is State.DRAINING:
            self._notify.say("STOPPING", "1")
        self._notify.say("STATUS", words_of(self._copy))

    async def _offer_kept(self) -> None:
        while (work := self._copy.take_kept()) is not None:
            await self._begin(work, carry_out(self._copy, work))
            # handlers that have begun go on, and others come in
            await asyncio.sleep(0)

    async def _tend_claims(self) -> None:
        if self._copy.store is None or self._copy.seat is None:
            return
        await self._quietly(Ask(self._copy.store.open))
        while True:
            await asyncio.sleep(0.05)
            if self._copy.watched:
                await self._claim_watched()
            if time.monotonic() >= self._swept_at + 1:
                await self._sweep()

    async def _claim_watched(self) -> None:
        assert self._copy.store is not None
        dead = set()
        for owner in self._copy.watched_owners():
            if await self._quietly(Ask(self._copy.store.is_alive, (owner,))) is False:
                dead.add(owner)
        for work in self._copy.take_watched(dead):
            await self._begin(work, claim_again(self._copy, work))

    async def _sweep(self) -> None:
        self._swept_at = time.monotonic()
        if self._copy.machine.state is State.ACTIVE and self._copy.store is not None:
            gone = await self._quietly(Ask(self._copy.store.sweep, (), 0.0))
            if gone is not None and gone >= _FULL_BITE:
                self._swept_at -= 0.9

    async def _quietly(self, step: Ask) -> Any:
        """None where there is no answer: claims tell and count that."""
        try:
            return await self.ask(step)
        except NoAnswer as error:
            if not step.limit:
                return None
            self._copy.lock_fails(error)
            return None

    async def ask(self, step: Ask) -> Any:
        """Raises NoAnswer."""
        store = self._copy.store
        if store is None or not store.remote or inspect.iscoroutinefunction(step.call):
            return await ask_async(step.call, step.arguments, step.limit)
        return await asyncio.get_running_loop().run_in_executor(
            self._remote, ask, step.call, step.arguments, step.limit
        )
