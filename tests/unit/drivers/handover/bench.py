"""Two slots on this machine: real copies of ``program.py``, the real seat, the real host script."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.handover_service import HandoverConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.handover.folder import SharedFolder
from gapless.drivers.handover.orders import placed
from gapless.drivers.handover.seat import Seat
from gapless.drivers.runtimes.paired import Paired
from gapless.drivers.transports.base import Claim, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.model import Command, Fence, Instance, InstanceState, Observation
from tests.unit.handover.site import PROGRAM, request

SLOTS = ("a", "b")
QUICK = {"skew": "100ms", "joint": "300ms", "stable": "200ms", "deadline": "20s", "ready": "30s"}


class Slot:
    """A copy, or none; its variables lie in a file."""

    def __init__(self, folder: Path, slot: str) -> None:
        self.file = folder / f"{slot}.env"
        self.log = folder / f"{slot}.log"
        self.disarmed = folder / f"{slot}.disarmed"
        self.program: tuple[str, ...] = (sys.executable, str(PROGRAM), "asyncio")
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self, **given: str) -> Slot:
        """With what the orchestrator has prepared, and ``given`` besides."""
        found = json.loads(self.file.read_text()) if self.file.exists() else {}
        plain = {name: v for name, v in os.environ.items() if not name.startswith("HANDOVER_")}
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.program, env={**plain, **found, **given}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        return self

    @property
    def runs(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.send_signal(signal.SIGKILL)
            self.popen.wait(10)

    def ended(self) -> int:
        assert self.popen is not None
        return self.popen.wait(60)

    # -- as a copy of a runtime -------------------------------------------------------------------

    async def observe(self, transport: Transport) -> Observation:
        if self.runs:
            return Observation(InstanceState.RUNNING)
        failed = self.popen is not None and self.popen.returncode
        return Observation(InstanceState.FAILED if failed else InstanceState.STOPPED)

    async def prepare(
        self, transport: Transport, variables: Mapping[str, str]
    ) -> tuple[Command, ...]:
        text = json.dumps(dict(variables))
        return (placed(str(self.file), text), Command(("rm", "-f", str(self.disarmed))))

    async def disarm(self, transport: Transport) -> tuple[Command, ...]:
        return (placed(str(self.disarmed), ""),)

    async def rearm(self, transport: Transport) -> tuple[Command, ...]:
        return (Command(("rm", "-f", str(self.disarmed))),)

    async def forget(self, transport: Transport) -> tuple[Command, ...]:
        return (Command(("rm", "-f", str(self.file))),)

    async def account(self, transport: Transport) -> str:
        return ""


class Bench:
    """One service on one host."""

    def __init__(self, folder: Path, transport: Transport, fence: Fence, **config: Any) -> None:
        self.config = HandoverConfig.model_validate({**QUICK, **config})
        self.path = folder / "shared"
        self.slots = {slot: Slot(folder, slot) for slot in SLOTS}
        self.fences = (fence,)
        self.transport = transport
        self.folder = SharedFolder(
            "bot", self.config, lambda _: cast(Paired, self), lambda _: transport, LoopClock(),
            lambda _: str(self.path),
        )  # fmt: skip
        self.seat = Seat(self.folder)

    def copy(self, slot: str) -> Slot:
        return self.slots[slot]

    async def live(self, transport: Transport) -> str:
        there = [slot for slot in SLOTS if self.slots[slot].runs]
        known = [slot for slot in SLOTS if self.slots[slot].file.exists()]
        return next(iter([*there, *known]), "")

    def at(self, slot: str) -> Instance:
        return Instance("bot", "here", slot)

    async def start(self, slot: str) -> Slot:
        """Prepared and started."""
        await self.seat.add(self.at(slot), self.fences)
        return self.slots[slot].start()

    async def begin(self, slot: str = "a") -> Slot:
        """The first copy, ACTIVE."""
        first = await self.start(slot)
        await self.seat.admit(self.at(slot), self.fences)
        return first

    @property
    def state(self) -> dict[str, Any]:
        """What ``state.json`` says."""
        found: dict[str, Any] = json.loads((self.path / "state.json").read_text())
        return found

    def status(self, slot: str) -> dict[str, Any]:
        """Of the copy in a slot, by its own word."""
        name = json.loads(self.slots[slot].file.read_text())["HANDOVER_ID"]
        return request(self.path / f"ctl-{name}.sock", "GET", "/handover")[1]

    async def becomes(self, slot: str, state: str, limit: float = 30.0) -> dict[str, Any]:
        ends = time.monotonic() + limit
        while True:
            try:
                found = await asyncio.to_thread(self.status, slot)
            except OSError:
                found = {}
            if found.get("state") == state:
                return found
            assert time.monotonic() < ends, (found, self.slots[slot].log.read_text())
            await asyncio.sleep(0.02)

    def effects(self) -> list[int]:
        """Numbers of events, one for each effect."""
        file = self.path / "effects"
        lines = file.read_text().splitlines() if file.exists() else []
        return [int(line.split()[0]) for line in lines]

    def lost_and_doubled(self) -> tuple[list[int], list[int]]:
        """Of all events from the first effect to the last."""
        done = self.effects()
        every = range(min(done), max(done) + 1)
        return sorted(set(every) - set(done)), sorted({n for n in done if done.count(n) > 1})


@asynccontextmanager
async def bench(folder: Path, **config: Any) -> AsyncIterator[Bench]:
    """With a claim on the host; leaves no process behind."""
    host = HostConfig(
        transport="local", sudo=False, python=sys.executable, state_dir=str(folder / "host")
    )
    transport = LocalTransport("here", host)
    await transport.connect()
    made: Bench | None = None
    try:
        claimed = await transport.claim(Claim("site.bot", "r1", "test", "test", os.getpid(), 0.0))
        assert claimed.fence is not None
        made = Bench(folder, transport, claimed.fence, **config)
        yield made
    finally:
        for slot in made.slots.values() if made else ():
            slot.kill()
        await transport.close()
