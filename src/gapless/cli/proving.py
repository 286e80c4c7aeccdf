"""``gapless prove``: the gap of anything, also of what gapless does not do itself."""

from __future__ import annotations

import asyncio
import contextlib

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where
from gapless.cli.output import result, result_json, width
from gapless.clock import LoopClock
from gapless.config.addresses import url_objection
from gapless.config.project import ProveConfig
from gapless.errors import UsageError
from gapless.prove.prover import Prover
from gapless.render.gap import gap as gap_lines
from gapless.render.layout import head, screen
from gapless.report.parse import gap_of

BASELINE = 2.0
"""Seconds measured before the program is started, to compare with."""

_ASK = "gapless prove --url http://shop.example/"


async def measure(
    where: Where, url: str | None, rate: float | None, seconds: float, argv: tuple[str, ...],
    *, as_json: bool,
) -> int:  # fmt: skip
    """Ask while the time passes or the program runs; print the gap."""
    clock, status = LoopClock(), 0
    async with Prover(_config(where, url, rate), clock) as prover:
        if argv:
            await clock.sleep(BASELINE)
            prover.mark("change")
            status = await _run(argv)
        else:
            prover.mark("change")
            await clock.sleep(seconds)
    data = prover.gap().to_json()
    well = data["sent"] and not data["failed"] and status == 0
    if as_json:
        code = ExitCode.DONE if well else ExitCode.MIXED
        result_json({**data, "status": status, "exit_code": int(code)})
    else:
        result(_screen(data, status, argv))
    return ExitCode.DONE if well else ExitCode.MIXED


def _config(where: Where, url: str | None, rate: float | None) -> ProveConfig:
    if url is not None:
        if (wrong := url_objection(url)) is not None:
            hint = wrong.hint or "write http://host:port/path"
            raise UsageError(f"--url: {wrong.text} — {hint}", next=_ASK)
        return ProveConfig(url=url, rate=rate or 20.0)
    from gapless.proving import front_door

    config = front_door(where.load())
    return config.model_copy(update={"rate": rate}) if rate else config


async def _run(argv: tuple[str, ...]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*argv)
    except OSError as error:
        raise UsageError(
            f"{argv[0]} cannot be run: {error.strerror}",
            next="gapless prove -- PROGRAM ARGUMENTS; a shell's words need sh -c",
        ) from None
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


def _screen(data: dict[str, object], status: int, argv: tuple[str, ...]) -> str:
    reading = gap_of(data)
    mark, text = ("✓", "No request failed") if not reading.failed else ("✗", "Requests failed")
    if not reading.sent:
        mark, text = "✗", "No request was sent"
    if status:
        mark, text = "✗", f"{text}; {argv[0]} ended with status {status}"
    return screen([*head(mark, text, width=width()), *gap_lines(reading, width())])
