"""A gateway that sends events all the time, in the words of docs/how-to/handover-verify.md.

1. A copy opens a connection for each shard. One identifies at a time; who comes too early waits.
2. Events come at a steady rate, each on one shard, and go to all who are connected to it, to each
   after a delay of its own of up to the skew.
3. A connection that broke resumes its session and gets what it missed.
4. Which process each event was sent to, and when, is what the judge asks later.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

SHARDS = ("shard-0", "shard-1")
_BEAT = 0.1
_IDENTIFY_EVERY = 0.02
_WAIT_MS = 25
_REMEMBERED = 2000
Message = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """One event; ``to`` holds (process, moment of the monotonic clock)."""

    id: str
    level: str
    at: float
    to: list[tuple[int, float]] = field(default_factory=list)


@dataclass(eq=False)
class Session:
    """What one process has had over one shard; outlives its connections."""

    key: str
    pid: int
    shard: str
    writer: asyncio.StreamWriter | None
    seq: int = 0
    sent: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def send(self, event: Sent) -> None:
        """Numbered, and kept for a resume."""
        self.seq += 1
        message = {
            "op": "event", "seq": self.seq, "id": event.id, "unit": self.shard,
            "level": event.level, "take_ms": 0,
        }  # fmt: skip
        self.sent.append(message)
        if self.write(message):
            event.to.append((self.pid, time.monotonic()))

    def write(self, message: Message) -> bool:
        """To where the process is now; False if it is away."""
        if self.writer is None or self.writer.is_closing():
            return False
        self.writer.write(json.dumps(message).encode() + b"\n")
        return True


class Source:
    """``levels`` take turns; ``skew`` in seconds, ``rate`` in events a second."""

    def __init__(self, levels: tuple[str, ...], rate: float, skew: float, seed: int) -> None:
        self._levels, self._rate, self._skew = levels, rate, skew
        self._random = random.Random(seed)
        self._sessions: dict[str, Session] = {}
        self._there: dict[str, set[Session]] = {shard: set() for shard in SHARDS}
        self._identified_at = 0.0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.events: list[Sent] = []
        self.late = 0.0
        """Most seconds by which an event came too late, since this machine had no time."""

    async def start(self) -> str:
        """Its address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def begin(self) -> None:
        """Events from now on."""
        self._spawn(self._emit())

    async def close(self) -> None:
        """Hangs up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def shards_of(self, pid: int) -> int:
        """How many a process is connected to."""
        return sum(one.pid == pid for there in self._there.values() for one in there)

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _emit(self) -> None:
        loop = asyncio.get_running_loop()
        begun, number = time.monotonic(), 0
        while True:
            now = time.monotonic()
            self.late = max(self.late, now - begun - number / self._rate)
            while begun + number / self._rate <= now:
                event = Sent(f"e{number}", self._levels[number % len(self._levels)], now)
                self.events.append(event)
                # levels and shards take turns at different paces
                shard = SHARDS[number // len(self._levels) % len(SHARDS)]
                for session in self._there[shard]:
                    loop.call_later(self._random.uniform(0, self._skew), session.send, event)
                number += 1
            await asyncio.sleep(1 / self._rate)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session: Session | None = None
        try:
            with contextlib.suppress(ConnectionError, ValueError, asyncio.CancelledError):
                _tell(writer, {"op": "hello", "heartbeat_ms": int(_BEAT * 1000)})
                while line := await reader.readline():
                    session = self._hear(json.loads(line), writer, session)
        finally:
            if session is not None and session.writer is writer:
                session.writer = None
            writer.close()

    def _hear(
        self, said: Message, writer: asyncio.StreamWriter, session: Session | None
    ) -> Session | None:
        if session is not None:
            return session
        if said["op"] == "resume":
            return self._resume(said, writer)
        now = time.monotonic()
        if now < self._identified_at + _IDENTIFY_EVERY:
            _tell(writer, {"op": "wait", "ms": _WAIT_MS})
            return None
        self._identified_at = now
        fresh = Session(f"s{len(self._sessions)}", said["pid"], said["unit"], writer)
        self._sessions[fresh.key] = fresh
        self._there[fresh.shard].add(fresh)
        fresh.write({"op": "ready", "session": fresh.key})
        self._spawn(self._beat(fresh, writer))
        return fresh

    def _resume(self, said: Message, writer: asyncio.StreamWriter) -> Session | None:
        known = self._sessions.get(said["session"])
        if known is None or known.writer is not None:
            _tell(writer, {"op": "invalid"})
            return None
        known.writer = writer
        known.write({"op": "resumed"})
        for message in known.sent:
            if message["seq"] > said["seq"]:
                known.write(message)
        self._spawn(self._beat(known, writer))
        return known

    async def _beat(self, session: Session, writer: asyncio.StreamWriter) -> None:
        while session.writer is writer and not writer.is_closing():
            session.write({"op": "heartbeat"})
            await asyncio.sleep(_BEAT)
        if session.writer is None:
            # who is away for longer is gone, or comes as another process
            await asyncio.sleep(1)
            if session.writer is None:
                self._there[session.shard].discard(session)


def _tell(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
