"""``gapless handover verify``: which cases, against what, and what is told of it."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Sequence
from contextlib import aclosing
from difflib import get_close_matches

from gapless.cli.exit_codes import ExitCode
from gapless.cli.output import result, result_json, table_width, width
from gapless.clock import LoopClock
from gapless.errors import UsageError
from gapless.handover_kit.playing import play
from gapless.handover_kit.scene import Setting
from gapless.handover_kit.table import CASES, NAMES, Case
from gapless.handover_kit.verdicts import CaseResult, Outcome
from gapless.render.handover import render_case, render_cases, render_verdict

_ASK = "gapless handover verify --gateway-env GATEWAY -- python3 bot.py"
_LIST = "gapless handover verify --list"


def chosen(names: Sequence[str]) -> tuple[Case, ...]:
    """All without names. Raises UsageError."""
    for name in names:
        if name not in NAMES:
            close = get_close_matches(name, NAMES, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"There is no case {name}{hint}", next=_LIST)
    return tuple(case for case in CASES if not names or case.name in names)


def setting(argv: tuple[str, ...], gateway: str, lock: str, patience: float) -> Setting:
    """Raises UsageError."""
    if not argv:
        raise UsageError("Give the program behind --", next=_ASK)
    if gateway and (not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", gateway)):
        raise UsageError(f"--gateway-env: {gateway} is no name of a variable", next=_ASK)
    if gateway.startswith("HANDOVER_"):
        raise UsageError("--gateway-env: HANDOVER_… belongs to the protocol", next=_ASK)
    if lock not in ("sqlite", "dir") and ":" not in lock:
        raise UsageError(f"--lock: {lock} is neither sqlite nor dir nor a url", next=_ASK)
    return Setting(argv, gateway, lock, patience)


def show(cases: Sequence[Case], *, as_json: bool) -> int:
    """``--list``."""
    if as_json:
        result_json(
            [{"case": case.name, "must": case.must, "needs_events": case.events} for case in cases]
        )
    else:
        result(render_cases(cases, table_width()))
    return ExitCode.DONE


async def verify(cases: Sequence[Case], setting: Setting, *, as_json: bool) -> int:
    """Play them; nothing runs any more when this returns, also after TERM."""
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    results: list[CaseResult] = []
    try:
        async with aclosing(play(cases, setting, LoopClock())) as playing:
            async for one in playing:
                results.append(one)
                if not as_json:
                    result(render_case(one, width()))
    except asyncio.CancelledError:
        return ExitCode.INTERRUPTED
    if as_json:
        result_json(_document(results))
    else:
        result(render_verdict(results, width()))
    return _code(results)


def _code(results: Sequence[CaseResult]) -> ExitCode:
    passed = all(one.outcome is Outcome.PASS for one in results)
    return ExitCode.DONE if passed else ExitCode.REFUSED


def _document(results: Sequence[CaseResult]) -> dict[str, object]:
    counts = {outcome.value: sum(one.outcome is outcome for one in results) for outcome in Outcome}
    return {
        "protocol": "handover/1",
        "summary": counts,
        "cases": [one.to_json() for one in results],
        "exit_code": int(_code(results)),
    }
