"""The example bot, with its effects written down: ``LEDGER=FILE GATEWAY=HOST:PORT bot.py``.

Each effect is one write to a file opened with O_APPEND, so that a kill leaves it there or not.
Those of ``transactional`` are rows of the database that has the claims.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import logging
import os
import time
from pathlib import Path
from typing import Any

from gapless.handover import Handover

EXAMPLE = Path(__file__).parents[2] / "examples" / "handover-bot" / "bot.py"
LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
TABLE = "CREATE TABLE IF NOT EXISTS effects (id TEXT, pid INTEGER, at REAL)"


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("bot", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bot = _example()


def note(*words: object) -> None:
    """One line: what, then its words, this process and the moment."""
    line = " ".join(map(str, (*words, os.getpid(), time.monotonic())))
    os.write(LEDGER, f"{line}\n".encode())


class Shard(bot.Shard):  # type: ignore[name-defined, misc]
    """Handles each event at the level that it asks for."""

    async def take(self, event: dict[str, Any]) -> None:
        level = event["level"]
        act = in_database if level == "transactional" else in_ledger
        await self.handover.offer(event["id"], event, act, once=level, unit=self.name)

    def say(self, message: dict[str, Any]) -> None:
        super().say({**message, "pid": os.getpid()})


def in_ledger(event: dict[str, Any], key: str = "") -> None:
    """The receiver of ``idempotent-key`` sees the key; others have none."""
    note("effect", event["id"])


def in_database(event: dict[str, Any], connection: Any) -> None:
    """In the transaction of the claim."""
    connection.execute(TABLE)
    connection.execute(
        "INSERT INTO effects VALUES (?, ?, ?)", (event["id"], os.getpid(), time.monotonic())
    )


async def tell_states(handover: Handover) -> None:
    """Which event a copy had to handle depends on what it was."""
    was = ""
    while True:
        if handover.state != was:
            was = handover.state
            note("state", was)
        await asyncio.sleep(0.002)


class Watched(Handover):
    """Tells its states."""

    async def __aenter__(self) -> Watched:
        await super().__aenter__()
        self.telling = asyncio.create_task(tell_states(self))
        return self


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    bot.Shard, bot.Handover = Shard, Watched
    atexit.register(note, "state", "DRAINING")
    asyncio.run(bot.main())
