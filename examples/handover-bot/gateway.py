"""A gateway to try the bot with: 500 events a second to every copy, and who had an effect.

    python3 gateway.py 127.0.0.1:9000

Each copy gets an event at its own time, up to 50 ms apart. It says every second how many events
there were, how many had two effects (doubled), and how many had none after a second (late) or after
ten (lost).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

from gapless.clock import LoopClock
from gapless.handover_kit.gateway import Gateway

RATE = 500
SETTLED = 1.0
"""Seconds after which an event without an effect is late: a copy that takes over has it yet."""
GIVEN_UP = 10.0
"""Seconds after which it is lost."""


class Sender:
    """Events at a steady rate, and what became of each."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sent: list[float] = []
        self.ended = False

    async def send(self) -> None:
        """Until it is ended. What comes while no copy is connected is no event."""
        begun, number = time.monotonic(), 0
        while not self.ended:
            now = time.monotonic()
            while begun + number / RATE <= now:
                number += 1
                reached = [
                    self._gateway.deliver(copy, f"e{len(self._sent)}", 0)
                    for copy in self._gateway.copies
                ]
                if any(reached):
                    self._sent.append(now)
            await asyncio.sleep(1 / RATE)

    @property
    def sent(self) -> int:
        """How many events there were."""
        return len(self._sent)

    def wrong(self) -> tuple[list[str], list[str]]:
        """Events that are late or lost, and that are doubled."""
        had = Counter(event for _, event in self._gateway.effects)
        return self._without(had, SETTLED), [event for event in had if had[event] > 1]

    def told(self) -> str:
        """All of it in a line."""
        had = Counter(event for _, event in self._gateway.effects)
        lost = len(self._without(had, GIVEN_UP))
        late = len(self._without(had, SETTLED)) - lost
        doubled = sum(1 for effects in had.values() if effects > 1)
        copies = ", ".join(self._gateway.copies) or "nobody"
        return f"{self.sent} events, {late} late, {lost} lost, {doubled} doubled; {copies}"

    def _without(self, had: Counter[str], seconds: float) -> list[str]:
        """Events so old that had no effect yet."""
        before = time.monotonic() - seconds
        due = (f"e{number}" for number, at in enumerate(self._sent) if at < before)
        return [event for event in due if not had[event]]


async def main(address: str) -> None:
    """Until it is killed."""
    host, _, port = address.rpartition(":")
    gateway = Gateway(LoopClock(), lambda words: None)
    sender = Sender(gateway)
    await gateway.start(host, int(port))
    sending = asyncio.create_task(sender.send())
    while not sending.done():
        await asyncio.sleep(1)
        print(sender.told(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
