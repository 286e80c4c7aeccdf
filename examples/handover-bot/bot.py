"""A small bot: connections to a gateway, one for each shard, and one effect for each event.

    GATEWAY=127.0.0.1:9000 python3 bot.py

The gateway speaks JSON lines, as docs/how-to/handover-verify.md describes. What belongs to the
handover are the lines with ``handover`` in them; the rest is what every bot has.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Any

from gapless.handover import Handover

SHARDS = ("shard-0", "shard-1")


class Shard:
    """One connection, and another one when it breaks."""

    def __init__(self, name: str, handover: Handover) -> None:
        self.name, self.handover = name, handover
        self.unit = handover.unit(name)
        self.session: str | None = None
        self.seq = 0
        self.at_work: set[asyncio.Task[Any]] = set()
        self.writer: asyncio.StreamWriter | None = None

    async def run(self, host: str, port: int) -> None:
        """Until it is cancelled."""
        while True:
            try:
                reader, self.writer = await asyncio.open_connection(host, port)
                try:
                    while line := await reader.readline():
                        await self.hear(json.loads(line))
                finally:
                    self.writer.close()
            except OSError as error:
                logging.warning("%s: %s", self.name, error)
            self.unit.lost()
            await asyncio.sleep(0.1)

    async def hear(self, said: dict[str, Any]) -> None:
        """One line of the gateway."""
        match said["op"]:
            case "hello":
                self.enter()
            case "wait":
                await asyncio.sleep(said["ms"] / 1000)
                self.enter()
            case "invalid":
                self.session, self.seq = None, 0
                self.enter()
            case "ready":
                self.session = said["session"]
                self.unit.connected()
            case "resumed":
                self.unit.connected()
            case "heartbeat":
                self.unit.beat()
            case "event":
                self.seq = said["seq"]
                task = asyncio.create_task(self.take(said))
                self.at_work.add(task)
                task.add_done_callback(self.at_work.discard)

    def enter(self) -> None:
        """Goes on with the session where there is one."""
        who = {"copy": os.environ.get("HANDOVER_ID", "alone"), "unit": self.name}
        if self.session is None:
            self.say({"op": "identify", **who})
        else:
            self.say({"op": "resume", **who, "session": self.session, "seq": self.seq})

    async def take(self, event: dict[str, Any]) -> None:
        """What a bot is for. The gateway gives events the same id for both copies."""
        await self.handover.offer(
            event["id"], event, self.answer, once="at-least-once", unit=self.name
        )

    async def answer(self, event: dict[str, Any]) -> None:
        """The effect: in a real bot, a message to the people."""
        await asyncio.sleep(event["take_ms"] / 1000)
        self.say({"op": "effect", "id": event["id"]})

    def say(self, message: dict[str, Any]) -> None:
        """To the gateway."""
        if self.writer is not None:
            self.writer.write(json.dumps(message).encode() + b"\n")


async def main() -> None:
    """Runs until the copy is drained."""
    host, _, port = os.environ["GATEWAY"].rpartition(":")
    # nothing is connected before the handover knows what this copy is
    async with Handover.from_environment(SHARDS, life=5) as handover:
        shards = [Shard(name, handover) for name in SHARDS]
        running = [asyncio.create_task(shard.run(host, int(port))) for shard in shards]
        await handover.drained()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(main())
