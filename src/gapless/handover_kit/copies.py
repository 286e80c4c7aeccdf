"""A copy of the program, as a process group of its own: all of it is stopped and killed at once."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from gapless.clock import Clock, within
from gapless.handover_kit.asking import Answer, ask
from gapless.handover_kit.verdicts import CannotTell, Failed

_LOOK = 0.02
_SHOWN = 600
Status = dict[str, Any]


class Copy:
    """Started already. ``patience``: seconds in which it must do what it was asked."""

    def __init__(
        self, name: str, epoch: int, process: asyncio.subprocess.Process, socket: Path, log: Path,
        patience: float, clock: Clock, tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.name, self.epoch = name, epoch
        self._process, self._socket, self._log = process, socket, log
        self._patience, self._clock, self._tell = patience, clock, tell

    @property
    def output(self) -> str:
        """All that it wrote, as text."""
        return self._log.read_bytes().decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """To the process that was started, as a supervisor does."""
        self._tell(f"{self.name}: {number.name}")
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def stop(self) -> None:
        """It hangs."""
        self._tell(f"{self.name}: STOP")
        self._signal_all(signal.SIGSTOP)

    async def kill(self) -> None:
        """With -9, and all that it started."""
        self._tell(f"{self.name}: kill -9")
        self._signal_all(signal.SIGKILL)
        await self._process.wait()

    async def close(self) -> None:
        """Leaves nothing of it behind."""
        self._signal_all(signal.SIGKILL)
        await self._process.wait()

    def _signal_all(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def ended(self, limit: float | None = None) -> int:
        """Its exit status. Raises Failed when it lives on."""
        seconds = self._patience if limit is None else limit
        try:
            async with within(seconds):
                status = await self._process.wait()
        except TimeoutError:
            raise Failed(f"{self.name} lives on after {seconds:g} s{await self._state()}") from None
        self._tell(f"{self.name}: ended with status {status}")
        return status

    async def _state(self) -> str:
        status = await self.peek()
        return f", as {status.get('state')}" if status else ""

    async def ask(self, method: str, target: str) -> Answer:
        """Raises Failed where it does not answer."""
        try:
            answer = await ask(self._socket, method, target)
        except (OSError, http.client.HTTPException) as error:
            self._tell(f"{self.name}: {method} {target} → {error}")
            raise Failed(f"{self.name} does not answer {method} {target}: {error}") from None
        self._tell(f"{self.name}: {method} {target} → {answer.status} {_short(answer.body)}")
        return answer

    async def post(self, target: str) -> Status:
        """A request that must be answered with 200."""
        answer = await self.ask("POST", target)
        if answer.status != 200:
            raise Failed(
                f"{self.name}: POST {target} must be answered with 200, "
                f"and was with {answer.status} {_short(answer.body)}"
            )
        return answer.body

    async def peek(self) -> Status | None:
        """The status; None while nobody answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = await ask(self._socket, "GET", "/handover")
            if answer.status == 200:
                return answer.body
        return None

    async def until(
        self, what: str, fits: Callable[[Status], bool], limit: float | None = None
    ) -> Status:
        """Waits for a status that fits. Raises Failed, with what came instead."""
        seconds = self._patience if limit is None else limit
        begun = looked = self._clock.monotonic()
        worst = 0.0
        last: Status | None = None
        while (now := self._clock.monotonic()) - begun < seconds or last is None:
            worst = max(worst, now - looked)
            looked = now
            if self._process.returncode is not None:
                raise Failed(
                    f"{self.name} ended with status {self._process.returncode} "
                    f"before {what}{self._said()}"
                )
            last = await self.peek() or last
            if last is not None and _fits(fits, last):
                self._tell(f"{self.name}: {what} after {now - begun:.2f} s: {_short(last)}")
                return last
            if last is None and now - begun > self._patience:
                raise Failed(
                    f"{self.name}: no answer to GET /handover on {self._socket.name} "
                    f"within {self._patience:g} s{self._said()}"
                )
            await self._clock.sleep(_LOOK)
        self._tell(f"{self.name}: {_short(last)}")
        if limit is not None and worst > limit / 3:
            raise CannotTell(f"this machine is too busy: it stood still for {worst:.2f} s")
        raise Failed(f"{self.name}: not {what} within {seconds:g} s; it says {_short(last)}")

    async def becomes(self, state: str, limit: float | None = None) -> Status:
        """Waits for the state."""
        return await self.until(state, lambda status: status["state"] == state, limit)

    async def is_ready_as(self, state: str) -> Status:
        """Waits for the state, and for readiness."""
        return await self.until(
            f"ready and {state}", lambda status: status["state"] == state and status["ready"]
        )

    async def stays(self, state: str, seconds: float) -> None:
        """Raises Failed as soon as it is anything else."""
        ends = self._clock.monotonic() + seconds
        while self._clock.monotonic() < ends:
            status = await self.peek()
            if status is None:
                raise Failed(f"{self.name} does not answer any more{self._said()}")
            if status.get("state") != state:
                raise Failed(f"{self.name} must stay {state}, and is {_short(status)}")
            await self._clock.sleep(_LOOK)
        self._tell(f"{self.name}: {state} for {seconds:g} s")

    def _said(self) -> str:
        said = self.output.strip()[-_SHOWN:]
        return f"; it wrote: {said}" if said else ""


async def start(
    argv: tuple[str, ...], variables: Mapping[str, str], log: Path
) -> asyncio.subprocess.Process:
    """Raises OSError where it cannot be executed."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *argv,
            env=variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _fits(fits: Callable[[Status], Awaitable[bool] | bool], status: Status) -> bool:
    try:
        return bool(fits(status))
    except KeyError as missing:
        raise Failed(f"the status has no {missing}: {_short(status)}") from None


_TOLD = (
    "error", "why", "state", "epoch", "ready", "lock", "stale", "took_over", "restarted",
    "inflight", "buffered", "handled", "claims_won", "claims_lost", "lock_errors", "failed_open",
    "failed_closed", "problems",
)  # fmt: skip
_DULL: tuple[object, ...] = (0, False, [])


def _short(status: Status | None) -> str:
    """What is worth telling of a status."""
    told = {key: status[key] for key in _TOLD if key in status} if status else {}
    return " ".join(
        f"{key}={value}" for key, value in told.items() if value not in _DULL or key == "ready"
    )
