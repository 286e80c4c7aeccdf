"""Asking the person at the terminal whether the next group may begin."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from gapless.cli.output import note
from gapless.render.approval import question

if TYPE_CHECKING:
    from gapless.engine.approvals import Answer, Approval
    from gapless.render.base import Renderer


class Asking:
    """One question at a time; the view keeps still meanwhile."""

    def __init__(self, view: Renderer) -> None:
        self._view = view
        self._one = asyncio.Lock()

    async def __call__(self, approval: Approval) -> Answer:
        """What the person says; no, Enter and the end of input leave it waiting."""
        from gapless.engine.approvals import Answer
        from gapless.engine.worker import whoami

        async with self._one:
            self._view.hold()
            try:
                note(question(approval))
                said = (await read_line()).strip().lower()
            except asyncio.CancelledError:
                note("\n")  # the answer came from elsewhere
                raise
            finally:
                self._view.go_on()
        return Answer(said in ("y", "yes"), whoami(), "at the terminal")


async def read_line() -> str:
    """A line of standard input, without a thread that nobody could end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
        return sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin.fileno())
