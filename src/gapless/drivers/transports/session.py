"""The controller's side of the helper: requests and answers over one pair of byte streams.

Many requests are under way at once, each with its own deadline. When the stream ends, all of them
learn it: what they did on the host is unknown until asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from gapless.clock import Clock, LoopClock, within
from gapless.drivers.transports.faults import error_from, no_helper
from gapless.errors import DeadlineExceeded, GaplessError, LostContact
from gapless.hostside import bundle, wire
from gapless.hostside.bundle import LOOP, SOURCES_WANTED, pack, pack_settings, read_sources

_NOISE = 64 * 1024
"""Bytes a login shell may print before the helper speaks."""
_CONFIRMATION = 6.0
"""Seconds a cancelled request may take to say that it has ended."""


class Stream(Protocol):
    """A helper's stdin, stdout and stderr, however they reach it."""

    async def read(self, count: int) -> bytes:
        """Some bytes, b"" at the end."""
        ...

    async def read_exactly(self, count: int) -> bytes:
        """That many bytes; raises EOFError at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent."""
        ...

    async def drain(self) -> None:
        """Wait until the queue is short again."""
        ...

    async def close(self) -> None:
        """Let go; returns when the helper is gone or cannot be waited for any longer."""
        ...

    async def epitaph(self) -> tuple[int | None, str]:
        """Exit status, if known, and what the helper's process wrote to stderr."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long controller and helper wait for each other, in seconds."""

    heartbeat: float = 3.0
    silence: float = 15.0
    """Without a word for so long, the helper kills what it started, and we give up on it."""
    start: float = 20.0


class HelperSession:
    """One helper process on one host."""

    def __init__(
        self, host: str, stream: Stream, *, patience: Patience, clock: Clock | None = None
    ) -> None:
        self.host = host
        self.hello: Mapping[str, Any] = {}
        self._stream = stream
        self._patience = patience
        self._clock = clock or LoopClock()
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lost: GaplessError | None = None
        self._heard = 0.0

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return self._lost is None and bool(self._tasks)

    async def start(self, state_dir: str | None) -> None:
        """Send the helper and wait for its first word."""
        settings = {"patience": self._patience.silence, "state_dir": state_dir}
        self._offer(pack_settings(settings) + _packed(compiled=True))
        try:
            async with within(self._patience.start):
                await self._await_ready()
                self.hello = (await self._read_message())["hello"]
        except TimeoutError as error:
            await self._stream.close()
            what = f"the helper did not start within {self._patience.start:g} s"
            raise DeadlineExceeded(what, where=self.host) from error
        except BaseException:
            await self._stream.close()
            raise
        self._heard = self._clock.monotonic()
        self._tasks = [
            asyncio.create_task(self._listen(), name=f"{self.host}: answers"),
            asyncio.create_task(self._beat(), name=f"{self.host}: heartbeat"),
        ]

    async def call(self, verb: str, args: Mapping[str, Any], deadline: float) -> Any:
        """Ask; the answer. Cancelled or too late, what was asked for is ended on the host."""
        if self._lost is not None:
            raise self._lost
        number, future = self._send(verb, args)
        try:
            async with within(deadline):
                await self._stream.drain()
                return await asyncio.shield(future)
        except TimeoutError as error:
            await self._cancel(number, future)
            what = f"no answer to {verb} within {deadline:g} s"
            raise DeadlineExceeded(what, where=self.host) from error
        except asyncio.CancelledError:
            await self._cancel(number, future)
            raise
        finally:
            self._pending.pop(number, None)

    async def close(self) -> None:
        """End the session; the helper ends what it still runs."""
        self._fail(LostContact("the session was closed", where=self.host))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stream.close()

    def _send(self, verb: str, args: Mapping[str, Any]) -> tuple[int, asyncio.Future[Any]]:
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Nobody may be left to look at it: no complaint then.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._pending[number] = future
        try:
            self._stream.write(wire.encode({"id": number, "verb": verb, "args": args}))
        except OSError as error:
            self._lose(str(error))
        return number, future

    async def _cancel(self, number: int, future: asyncio.Future[Any]) -> None:
        if self._lost is None and not future.done():
            self._send("cancel", {"id": number})
            await asyncio.wait({future}, timeout=_CONFIRMATION)

    def _offer(self, data: bytes) -> None:
        # A stream that has ended already says so when it is read, and why.
        with contextlib.suppress(OSError):
            self._stream.write(data)

    async def _await_ready(self) -> None:
        noise = b""
        while not noise.endswith(wire.READY):
            if noise.endswith(SOURCES_WANTED):
                self._offer(_packed(compiled=False))
            byte = await self._stream.read(1)
            if not byte or len(noise) > _NOISE:
                status, complaint = await self._stream.epitaph()
                said = noise.decode(errors="replace").strip()
                raise no_helper(self.host, status, complaint or said)
            noise += byte

    async def _read_message(self) -> dict[str, Any]:
        length = wire.length_of(await self._stream.read_exactly(4))
        return wire.decode(await self._stream.read_exactly(length))

    async def _listen(self) -> None:
        try:
            while True:
                message = await self._read_message()
                self._heard = self._clock.monotonic()
                self._resolve(message)
        except (EOFError, OSError, ValueError, KeyError) as error:
            _, complaint = await self._stream.epitaph()
            self._lose(complaint or str(error))

    def _resolve(self, message: Mapping[str, Any]) -> None:
        future = self._pending.pop(message["id"], None)
        if future is None or future.done():
            return
        if "fault" in message:
            future.set_exception(error_from(self.host, message["fault"]))
        else:
            future.set_result(message["result"])

    async def _beat(self) -> None:
        while self._lost is None:
            await self._clock.sleep(self._patience.heartbeat)
            silent = self._clock.monotonic() - self._heard
            if silent > self._patience.silence:
                self._lose(f"no sign of life for {silent:.0f} s")
                return
            self._send("heartbeat", {})
            with contextlib.suppress(OSError):
                await self._stream.drain()

    def _lose(self, evidence: str) -> None:
        what = "lost contact; what was under way is unknown until the host is asked again"
        self._fail(LostContact(what, where=self.host, evidence=evidence))

    def _fail(self, error: GaplessError) -> None:
        if self._lost is None:
            self._lost = error
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)
        self._pending.clear()


@cache
def _packed(*, compiled: bool) -> bytes:
    """The helper as it is sent; packed once, not once per host."""
    sources = read_sources()
    return pack(bundle.compiled(sources) if compiled else sources, LOOP)
