"""One contestant under events: handovers one after the other, quiet or with somebody killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.handing import judge, sequence
from bench.handing.judge import Kill, Verdict
from bench.handing.rivals import Rival
from bench.handing.source import Source

RATE, SKEW = 500.0, 0.05
DECLARED = 2 * SKEW
"""What copies and orchestrators are told of the skew: one who has to know it in advance adds what
the machine may be late."""
_SETTLE = 0.3
_LAST = 0.5
"""Seconds for the effects of the last events."""


_PHASES = {"done": 0.3, "standby": 1.2, "joint": 0.2, "draining": 0.1}
"""Each as often as the others; seconds after its beginning, up to which somebody is killed."""


@dataclass
class Played:
    """What came of it; seconds."""

    took: list[float] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    longest_gap: float = 0.0
    blackout: float = 0.0
    takeovers: list[float] = field(default_factory=list)
    accounts: list[tuple[str, int]] = field(default_factory=list)
    """Of what was lost or doubled."""
    late: float = 0.0
    """Most by which the source itself was late: the machine had no time for it."""

    @property
    def events(self) -> int:
        return sum(verdict.events for verdict in self.verdicts.values())

    @property
    def lost(self) -> int:
        """Also those that nobody had the chance to keep: without kills there is no excuse."""
        return sum(len(one.lost) + one.to_nobody + one.to_killed for one in self.verdicts.values())

    @property
    def doubled(self) -> int:
        return sum(len(one.doubled) for one in self.verdicts.values())


class Play:
    """``folder`` is private to it."""

    def __init__(self, folder: Path, kind: type[Rival], levels: tuple[str, ...], seed: int) -> None:
        self._folder, self._kind = folder, kind
        self._source = Source(levels, RATE, SKEW, seed)
        self._played = Played()
        self._ledger = folder / "ledger"
        self._ledger.touch()

    async def quiet(self, count: int) -> Played:
        """Nobody is killed."""
        return await self._under_events(count, None, ())

    async def killing(self, count: int, choice: random.Random, victims: Sequence[str]) -> Played:
        """One of the victims in each handover, at any moment of it."""
        return await self._under_events(count, choice, victims)

    async def _under_events(
        self, count: int, choice: random.Random | None, victims: Sequence[str]
    ) -> Played:
        address = await self._source.start()
        variables = {"GATEWAY": address, "LEDGER": str(self._ledger)}
        rival = self._kind(self._folder, self._source, variables, DECLARED)
        try:
            await rival.start()
            self._source.begin()
            begun = time.monotonic()
            for _ in range(count):
                await asyncio.sleep(_SETTLE)
                await self._one(rival, choice, victims)
            await asyncio.sleep(_SETTLE)
            ended = time.monotonic()
            await asyncio.sleep(_LAST)
        finally:
            await rival.close()
            await self._source.close()
        self._judge(rival, begun, ended)
        return self._played

    async def _one(
        self, rival: Rival, choice: random.Random | None, victims: Sequence[str]
    ) -> None:
        begun = time.monotonic()
        under_way = asyncio.create_task(rival.hand_over())
        try:
            if choice is not None:
                victim, phase = choice.choice(victims), choice.choice(tuple(_PHASES))
                pause = choice.uniform(0, _PHASES[phase])
                await _reached(rival.shared, phase, pause, under_way)
                await self._kill(rival, victim, under_way)
            await under_way
        finally:
            under_way.cancel()
        self._played.took.append(time.monotonic() - begun)

    async def _kill(self, rival: Rival, victim: str, under_way: asyncio.Task[None]) -> None:
        """Who is not there yet is waited for, as long as the handover goes on."""
        while not under_way.done():
            if pid := await self._pid_of(rival, victim):
                kill = Kill(victim, 0 if victim == "orchestrator" else pid, time.monotonic())
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGKILL)
                    self._played.kills.append(kill)
                    return
            await asyncio.sleep(0.01)

    async def _pid_of(self, rival: Rival, victim: str) -> int:
        """0 where there is none."""
        if victim == "orchestrator":
            process = rival.orchestrator
            return process.pid if process is not None and process.returncode is None else 0
        return await asyncio.to_thread(sequence.pid_of, rival.shared, victim)

    def _judge(self, rival: Rival, begun: float, ended: float) -> None:
        found = judge.read(self._ledger, rival.shared / "claims.db")
        events = [event for event in self._source.events if event.at < ended]
        self._played.verdicts = judge.judge(events, found, self._played.kills)
        self._played.longest_gap, self._played.blackout = judge.blackout(found, begun, ended)
        self._played.late = self._source.late
        self._played.accounts = judge.accounts(self._played.verdicts, found, self._played.kills)
        self._played.takeovers = judge.takeovers(found, self._played.kills)


async def _reached(shared: Path, phase: str, pause: float, under_way: asyncio.Task[None]) -> None:
    """``pause`` seconds after the phase began, or when the handover is over."""
    while not under_way.done():
        if sequence.phase_of(shared) == phase:
            await asyncio.wait([under_way], timeout=pause)
            return
        await asyncio.sleep(0.005)
