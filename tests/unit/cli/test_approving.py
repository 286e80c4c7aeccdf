"""The question at the terminal: over a real terminal, with the view out of the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from gapless.cli.approving import Asking, read_line
from gapless.clock import LoopClock
from gapless.engine.approvals import Answer, Approval
from gapless.render.live import LiveView, Screen
from tests.unit.render import streams

APPROVAL = Approval("api", "batch2", "eqiad", "codfw", ("web5", "web6", "web7"))


class View:
    """Notes when it keeps still."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def observe(self, event: object) -> None: ...

    def say(self, text: str) -> None: ...

    def hold(self) -> None:
        self.said.append("hold")

    def go_on(self) -> None:
        self.said.append("go on")

    def close(self) -> None: ...


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a person types: the other end of the terminal that is standard input."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


@pytest.mark.parametrize(
    ("typed", "granted"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False)]
)
def test_what_a_person_types(
    keyboard: int, capsys: pytest.CaptureFixture[str], typed: str, granted: bool
) -> None:
    view = View()

    async def asked() -> Answer:
        asking = asyncio.create_task(Asking(view)(APPROVAL))
        await asyncio.sleep(0)
        os.write(keyboard, typed.encode())
        return await asyncio.wait_for(asking, 10)

    answer = asyncio.run(asked())
    assert answer.granted is granted
    assert answer.actor
    assert view.said == ["hold", "go on"]
    told = capsys.readouterr().err
    assert told == "api: eqiad is done. Go on with codfw, web[5:7]? [y/N]: "


def test_an_answer_from_elsewhere_takes_the_question_back(
    keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    view = View()

    async def asked() -> None:
        asking = asyncio.create_task(Asking(view)(APPROVAL))
        await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        line = asyncio.create_task(read_line())  # the terminal is free again
        await asyncio.sleep(0)
        os.write(keyboard, b"x\n")
        assert await asyncio.wait_for(line, 10) == "x\n"

    asyncio.run(asked())
    assert view.said == ["hold", "go on"]
    assert capsys.readouterr().err.endswith("\n")


def test_two_questions_come_one_after_the_other(
    keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def asked() -> list[Answer]:
        asking = Asking(View())
        both = asyncio.gather(asking(APPROVAL), asking(APPROVAL))
        await asyncio.sleep(0)
        assert capsys.readouterr().err.count("Go on with") == 1
        os.write(keyboard, b"y\nn\n")
        return await asyncio.wait_for(both, 10)

    assert [answer.granted for answer in asyncio.run(asked())] == [True, False]


class Drawn:
    """In place of a terminal."""

    size = (80, 24)

    def __init__(self) -> None:
        self.done: list[str] = []

    def draw(self, rows: object) -> None:
        self.done.append("draw")

    def close(self) -> None:
        self.done.append("close")


def test_a_live_view_that_is_held_draws_nothing() -> None:
    screen = Drawn()

    async def course() -> None:
        view = LiveView(cast("Screen", screen), streams.shop_plan(), LoopClock())
        events = streams.success()
        view.observe(events[0])
        view.hold()
        assert screen.done == ["draw", "close"]
        for event in events[1:]:
            view.observe(event)
        view.say("nothing either")
        view.tick()
        assert screen.done == ["draw", "close"]
        view.go_on()
        assert screen.done == ["draw", "close", "draw"]
        view.close()

    asyncio.run(course())
