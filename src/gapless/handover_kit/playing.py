"""Plays cases, some at a time, each in a folder of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from gapless.clock import Clock, within
from gapless.handover_kit.scene import Scene, Setting
from gapless.handover_kit.table import Case
from gapless.handover_kit.verdicts import CannotTell, CaseResult, Failed, Outcome

_AT_ONCE = 4
_WAITS = 12
"""How often a case may wait for its whole patience before it is given up."""


async def play(
    cases: Sequence[Case], setting: Setting, clock: Clock
) -> AsyncGenerator[CaseResult, None]:
    """Results in the order of the cases. Nothing is left behind, however it ends."""
    root = Path(tempfile.mkdtemp(prefix="gapless-"))
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> CaseResult:
        async with slots:
            return await _play(case, Scene(setting, root / case.name, clock))

    first_long = sorted(cases, key=lambda case: not case.long)
    tasks = {case.name: asyncio.create_task(one(case), name=case.name) for case in first_long}
    try:
        for case in cases:
            yield await tasks[case.name]
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        shutil.rmtree(root, ignore_errors=True)


async def _play(case: Case, scene: Scene) -> CaseResult:
    begun = scene.clock.monotonic()
    outcome, why = Outcome.PASS, ""
    try:
        await scene.open()
        async with within(_WAITS * scene.setting.patience):
            await case.play(scene)
    except Failed as failure:
        outcome, why = Outcome.FAIL, str(failure)
    except CannotTell as missing:
        outcome, why = Outcome.INCONCLUSIVE, str(missing)
    except TimeoutError:
        outcome, why = Outcome.INCONCLUSIVE, "the case did not come to an end"
    finally:
        await asyncio.shield(scene.close())
    seconds = scene.clock.monotonic() - begun
    return CaseResult(case.name, outcome, why, tuple(scene.evidence), seconds)
