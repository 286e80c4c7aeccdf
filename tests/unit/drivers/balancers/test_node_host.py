"""Speaking to the host of a balancer's node: said again after a lost connection, once."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, GaplessError, LostContact, Unreachable


class Line:
    """A connection that meets these errors, one a call."""

    def __init__(self, *errors: GaplessError) -> None:
        self.errors = list(errors)
        self.connects = self.said = 0

    async def connect(self) -> None:
        self.connects += 1

    async def say(self, transport: Transport) -> str:
        self.said += 1
        if self.errors:
            raise self.errors.pop(0)
        return "yes"


def talk(line: Line, *, repeatable: bool = True) -> str:
    host = NodeHost("edge", "", lambda: cast(Transport, line))
    assert host.label == "localhost"
    return asyncio.run(
        host.talk(line.say, what="no answer", hint="look there", repeatable=repeatable)
    )


def test_a_lost_connection_is_made_again_and_it_is_said_once_more() -> None:
    line = Line(LostContact("gone"))
    assert talk(line) == "yes"
    assert (line.connects, line.said) == (1, 2)


def test_what_must_not_be_repeated_is_not() -> None:
    line = Line(LostContact("gone", where="lb1"))
    with pytest.raises(NoAnswer) as caught:
        talk(line, repeatable=False)
    assert line.said == 1
    error = caught.value
    assert (error.what, error.where, error.next) == ("no answer", "edge", "look there")
    assert error.evidence == "lb1: gone"


def test_an_error_that_knows_the_next_command_keeps_it() -> None:
    line = Line(Unreachable("no way", evidence="refused", next="ping lb1"))
    with pytest.raises(NoAnswer) as caught:
        talk(line)
    assert (caught.value.next, caught.value.evidence) == ("ping lb1", "no way\nrefused")


def test_a_newer_rollout_is_no_silence() -> None:
    with pytest.raises(FenceRefused):
        talk(Line(FenceRefused("a newer one")))
