"""The example bot with one flaw: ``flawed_bot.py FLAW``. The kit must find each."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from gapless.handover import Handover
from gapless.handover.copy import Copy
from gapless.handover.units import Units

EXAMPLE = Path(__file__).parents[2] / "examples" / "handover-bot" / "bot.py"
FLAW = sys.argv[1]


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("bot", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bot = _example()


class AnswersAtOnce(bot.Shard):  # type: ignore[name-defined, misc]
    async def take(self, event: dict[str, Any]) -> None:
        self.unit.beat()
        await self.answer(event)


class KeepsToItself(bot.Shard):  # type: ignore[name-defined, misc]
    """What comes while nothing is handled is thrown away."""

    async def take(self, event: dict[str, Any]) -> None:
        if self.handover.state == "ACTIVE":
            await super().take(event)


def over(**others: str) -> None:
    for key, value in others.items():
        os.environ[f"HANDOVER_{key}"] = value


async def connects_first() -> None:
    host, _, port = os.environ["GATEWAY"].rpartition(":")
    await asyncio.open_connection(host, int(port))


def deaf_to_signals(self: Handover) -> None:
    for number in (signal.SIGUSR2, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)


async def never_drained(self: Handover) -> None:
    await asyncio.Event().wait()


def ends_at_once(self: Copy) -> None:
    if self.machine.state.value in ("BOOTING", "STANDBY"):
        self.machine.leave(0.0)
    else:
        self.deactivate(self.limit)


async def ends_badly() -> None:
    await bot.main()
    sys.exit(1)


async def hides_its_end() -> None:
    try:
        await bot.main()
    except SystemExit as end:
        sys.exit(0 if end.code == 75 else 1)


main = bot.main
match FLAW:
    case "answers-at-once":
        bot.Shard = AnswersAtOnce
    case "throws-away":
        bot.Shard = KeepsToItself
    case "believes-its-environment":
        os.environ.pop("HANDOVER_DIR", None)
    case "no-lock":
        over(LOCK="none")
    case "never-too-old":
        over(MAX_AGE="999999999")
    case "always-too-old":
        os.environ.pop("HANDOVER_STARTED_AT", None)
    case "lofty":
        over(EPOCH="1000")
    case "always-open":
        over(LOCK_FAIL="open")
    case "always-closed":
        over(LOCK_FAIL="closed")
    case "forgetful":
        over(BUFFER="0.001")
    case "no-units":
        Units.all_ready = property(lambda self: True)  # type: ignore[assignment, method-assign]
    case "connects-first":
        asyncio.run(connects_first())
    case "deaf":
        Handover._catch_signals = deaf_to_signals  # type: ignore[method-assign]
    case "never-ends":
        Handover.drained = never_drained  # type: ignore[assignment, method-assign]
    case "takes-it-along":
        Copy.end = ends_at_once  # type: ignore[method-assign]
    case "ends-badly":
        main = ends_badly
    case "hides-its-end":
        main = hides_its_end
    case "silent":
        logging.disable(logging.CRITICAL)
    case _:
        raise SystemExit(f"no such flaw: {FLAW}")

logging.basicConfig(level=logging.INFO, format="%(message)s")
asyncio.run(main())
