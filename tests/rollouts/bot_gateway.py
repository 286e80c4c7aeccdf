"""Runs on a lab host: the gateway of the example bot, with events for every copy that is connected.

    python3 bot_gateway.py FOLDER

writes ``gateway.env`` for the units and, every 50 ms, ``told.json``: how many events there were,
which of them had no effect yet and which had several, and how many each copy had.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from gapless.clock import LoopClock
from gapless.handover_kit.gateway import Gateway

FOLDER = Path(sys.argv[1])
RATE = 50


class Count:
    """What became of each event."""

    def __init__(self) -> None:
        self.events = 0
        self.undone: set[int] = set()
        self.doubled: list[int] = []
        self.copies: Counter[str] = Counter()
        self._read = 0

    def begin(self) -> str:
        """One event more."""
        self.undone.add(self.events)
        self.events += 1
        return f"e{self.events - 1}"

    def read(self, effects: list[tuple[str, str]]) -> None:
        for copy, event in effects[self._read :]:
            number = int(event[1:])
            if number not in self.undone:
                self.doubled.append(number)
            self.undone.discard(number)
            self.copies[copy] += 1
        self._read = len(effects)


async def main() -> None:
    gateway = Gateway(LoopClock(), lambda _: None)
    address = await gateway.start()
    (FOLDER / "gateway.env").write_text(f"GATEWAY={address}\n")
    loop, count = asyncio.get_running_loop(), Count()
    begun = loop.time()
    while True:
        copies = {session.copy for session in gateway._sessions}
        while count.events < (loop.time() - begun) * RATE:
            event = count.begin()
            for copy in copies:
                gateway.deliver(copy, event, 20)
        count.read(gateway.effects)
        _tell(count)
        await asyncio.sleep(0.05)


def _tell(count: Count) -> None:
    fresh = FOLDER / ".told"
    told = {"events": count.events, "undone": sorted(count.undone), "doubled": count.doubled}
    fresh.write_text(json.dumps({**told, "copies": count.copies}))
    fresh.rename(FOLDER / "told.json")


asyncio.run(main())
