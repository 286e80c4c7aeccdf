"""A small source of events for programs that are tormented: JSON lines over loopback TCP.

1. A copy opens one connection for each unit (shard) and identifies; identifying is rate-limited,
   and a copy that came too early, or is held back, is told to wait.
2. Every 200 ms a heartbeat goes out, so that a quiet connection can be told from a dead one.
3. Events are delivered to the copies that the case names, each with a delay of its own: two copies
   never get the same event at the same time.
4. A connection that broke may resume its session, and gets what it missed once more.
5. A copy says which effect it had. That is what is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gapless.clock import Clock

_BEAT = 0.2
_IDENTIFY_EVERY = 0.05
_WAIT_MS = 60
_SKEW = 0.05


@dataclass(eq=False)
class Session:
    """What one copy has had over one unit; outlives its connections."""

    key: str
    copy: str
    unit: str
    writer: asyncio.StreamWriter | None
    sent: list[dict[str, Any]] = field(default_factory=list)

    def send(self, event: dict[str, Any]) -> None:
        """Numbered, and kept for a resume."""
        numbered = {**event, "op": "event", "seq": len(self.sent) + 1}
        self.sent.append(numbered)
        self.write(numbered)

    def write(self, message: dict[str, Any]) -> None:
        """To where the copy is now; nowhere, if it is away."""
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(json.dumps(message).encode() + b"\n")


class Gateway:
    """Serves until it is closed; ``heard`` is called with each effect as words."""

    def __init__(self, clock: Clock, heard: Callable[[str], None]) -> None:
        self._clock, self._heard = clock, heard
        self._server: asyncio.Server | None = None
        self._sessions: list[Session] = []
        self._held: dict[str, int] = {}
        self._identified_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(1)  # noqa: S311 - no secret
        self.effects: list[tuple[str, str]] = []
        """(copy, event), in the order in which they were told."""
        self.levels: dict[str, str] = {}
        """What a copy says about its handlers, by copy; most say nothing."""
        self.connections = 0
        """How many there have been."""

    async def start(self, address: str = "127.0.0.1", number: int = 0) -> str:
        """Its address, ``127.0.0.1:PORT``; any port that is free for 0."""
        self._server = await asyncio.start_server(self._serve, address, number)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        """Hangs up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self, copy: str, units: int = 0) -> None:
        """It may connect, and so many of its units are let in."""
        self._held[copy] = units

    def let_in(self, copy: str) -> None:
        """The opposite of hold."""
        self._held.pop(copy, None)

    @property
    def copies(self) -> tuple[str, ...]:
        """Who is connected, in the order in which they came."""
        there = (session.copy for session in self._sessions if session.writer is not None)
        return tuple(dict.fromkeys(there))

    def hang_up(self, copy: str) -> int:
        """Its sessions can be resumed. Says how many connections were cut."""
        there = [session for session in self._there(copy) if session.writer is not None]
        for session in there:
            if session.writer is not None:
                session.writer.transport.abort()
            session.writer = None
        return len(there)

    def deliver(self, copy: str, event: str, take_ms: int) -> bool:
        """Over one of the copy's units, the same for each copy. False: it is not connected."""
        there = sorted(self._there(copy), key=lambda session: session.unit)
        if not there:
            return False
        session = there[sum(event.encode()) % len(there)]
        message = {"id": event, "unit": session.unit, "take_ms": take_ms}
        self._spawn(self._late(session, message, self._random.uniform(0, _SKEW)))
        return True

    def _there(self, copy: str) -> list[Session]:
        """The latest session of each unit."""
        return list(
            {session.unit: session for session in self._sessions if session.copy == copy}.values()
        )

    async def _late(self, session: Session, message: dict[str, Any], seconds: float) -> None:
        await self._clock.sleep(seconds)
        session.send(message)

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        session: Session | None = None
        try:
            with contextlib.suppress(ConnectionError, ValueError, KeyError, TypeError):
                _tell(writer, {"op": "hello", "heartbeat_ms": int(_BEAT * 1000)})
                while line := await reader.readline():
                    session = self._hear(json.loads(line), writer, session)
        except asyncio.CancelledError:
            # close() hangs up; of a cancelled task asyncio's streams print a traceback
            pass
        finally:
            self._tasks.discard(task)
            if session is not None and session.writer is writer:
                session.writer = None
            writer.close()

    def _hear(
        self, said: dict[str, Any], writer: asyncio.StreamWriter, session: Session | None
    ) -> Session | None:
        if said["op"] == "effect" and session is not None:
            self.effects.append((session.copy, str(said["id"])))
            self._heard(f"{session.copy}: effect of {said['id']}")
        elif said["op"] in ("identify", "resume") and session is None:
            return self._admit(said, writer)
        return session

    def _admit(self, said: dict[str, Any], writer: asyncio.StreamWriter) -> Session | None:
        if said["op"] == "resume":
            return self._resume(said, writer)
        now = self._clock.monotonic()
        held = len(self._there(said["copy"])) >= self._held.get(said["copy"], 1_000)
        if held or now < self._identified_at + _IDENTIFY_EVERY:
            _tell(writer, {"op": "wait", "ms": _WAIT_MS})
            return None
        self._identified_at = now
        self.levels[said["copy"]] = str(said.get("once", ""))
        session = Session(f"s{len(self._sessions) + 1}", said["copy"], said["unit"], writer)
        self._sessions.append(session)
        session.write({"op": "ready", "session": session.key})
        self._spawn(self._beat(session, writer))
        return session

    def _resume(self, said: dict[str, Any], writer: asyncio.StreamWriter) -> Session | None:
        known = next((one for one in self._sessions if one.key == said["session"]), None)
        if known is None or known.writer is not None:
            _tell(writer, {"op": "invalid"})
            return None
        known.writer = writer
        known.write({"op": "resumed"})
        for event in known.sent[int(said["seq"]) :]:
            known.write(event)
        self._spawn(self._beat(known, writer))
        return known

    async def _beat(self, session: Session, writer: asyncio.StreamWriter) -> None:
        while session.writer is writer and not writer.is_closing():
            session.write({"op": "heartbeat"})
            await self._clock.sleep(_BEAT)


def _tell(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
