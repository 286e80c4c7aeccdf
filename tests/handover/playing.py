"""The kit against a program, in this process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gapless.clock import LoopClock
from gapless.handover_kit.playing import play
from gapless.handover_kit.scene import Setting
from gapless.handover_kit.table import CASES
from gapless.handover_kit.verdicts import CaseResult

EXAMPLES = Path(__file__).parents[2] / "examples" / "handover-bot"
PYTHON_BOT = (sys.executable, str(EXAMPLES / "bot.py"))
FLAWED_BOT = (sys.executable, str(Path(__file__).with_name("flawed_bot.py")))


async def all_of(
    argv: tuple[str, ...],
    *names: str,
    gateway: str = "GATEWAY",
    lock: str = "sqlite",
    patience: float = 15.0,
) -> dict[str, CaseResult]:
    """Results by case; of all cases without names."""
    cases = [case for case in CASES if not names or case.name in names]
    setting = Setting(argv, gateway, lock, patience)
    return {one.case: one async for one in play(cases, setting, LoopClock())}


def played(
    argv: tuple[str, ...], *names: str, gateway: str = "GATEWAY", lock: str = "sqlite"
) -> dict[str, CaseResult]:
    return asyncio.run(all_of(argv, *names, gateway=gateway, lock=lock))


def told(results: dict[str, CaseResult]) -> str:
    """For a test that failed."""
    return "\n".join(
        f"{one.outcome.value} {one.case}: {one.why}\n  " + "\n  ".join(one.evidence)
        for one in results.values()
        if one.outcome != "PASS"
    )
