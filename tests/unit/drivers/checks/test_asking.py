"""Checks asked from both sides: two hosts of a world, one of them the controller's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gapless.drivers.checks import asking
from gapless.drivers.transports.base import Probe, Transport
from gapless.errors import LostContact
from gapless.model import Verdict, VerdictStatus
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import Behaviour, FakeUnit
from gapless.testing.faults import Fault, What, When
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

URL = "http://localhost:80/"
THERE = Probe("there", "http", {"url": URL})
HERE = Probe("here", "http", {"url": URL, "from": "controller"})
UNIT = "shop.service"


class Sides:
    """``far`` serves on the host; ``near`` stands for what the controller sees of it."""

    def __init__(self) -> None:
        self.world = World()
        self.far: FakeUnit = self.world.host("web1").add_unit(UNIT, port=80).run_already()
        self.near: FakeUnit = self.world.host("me").add_unit("view.service", port=80).run_already()
        self.transport, self.own = self.world.transport("web1"), self.world.transport("me")
        self.opened = 0

    def here(self) -> FakeTransport:
        self.opened += 1
        return self.own

    async def ask(self, *probes: Probe, within: float = 10.0) -> tuple[Verdict, ...]:
        return await asking.ask(
            self.transport, self.here, probes, passes=2, every=0.1, within=within
        )

    async def watch(self, *probes: Probe, seconds: float = 30.0) -> tuple[Verdict, ...]:
        return await asking.watch(
            self.transport, self.here, UNIT, probes, seconds=seconds, every=2.0, retries=1,
            retry_delay=1.0, identity={"InvocationID": self.far.invocation},
        )  # fmt: skip


def play(case: Callable[[Sides], Awaitable[None]]) -> None:
    async def main() -> None:
        sides = Sides()
        connected: list[Transport] = [sides.transport, sides.own]
        for transport in connected:
            await transport.connect()
        await case(sides)

    run_virtual(main())


def test_the_controller_is_not_troubled_without_need() -> None:
    async def case(sides: Sides) -> None:
        assert [v.check for v in await sides.ask(THERE)] == ["there"]
        assert [v.check for v in await sides.watch(THERE)] == ["unit", "there"]
        assert sides.opened == 0

    play(case)


def test_answers_stand_in_the_order_of_the_questions() -> None:
    async def case(sides: Sides) -> None:
        found = await sides.ask(HERE, THERE, HERE)
        assert [v.check for v in found] == ["here", "there", "here"]
        assert all(v.passed for v in found)
        assert [v.check for v in await sides.ask(HERE)] == ["here"]
        found = await sides.watch(THERE, HERE)
        assert [v.check for v in found] == ["unit", "there", "here"]
        assert all(v.passed for v in found)

    play(case)


def test_what_only_the_controller_sees_fails_the_question() -> None:
    async def case(sides: Sides) -> None:
        sides.near.become_unhealthy()
        there, here = await sides.ask(THERE, HERE, within=3.0)
        assert (there.status, here.status) == (VerdictStatus.PASS, VerdictStatus.FAIL)

    play(case)


def test_both_sides_are_waited_for() -> None:
    async def case(sides: Sides) -> None:
        sides.near.become_unhealthy()
        asyncio.get_running_loop().call_later(4.0, setattr, sides.near, "healthy", True)
        asyncio.get_running_loop().call_later(4.0, sides.near.host.changed, "healthy")
        found = await sides.ask(THERE, HERE, within=10.0)
        assert all(v.passed for v in found)
        assert asyncio.get_running_loop().time() > 4.0

    play(case)


@pytest.mark.parametrize("side", ["far", "near"])
def test_the_first_failure_ends_the_watch_of_both(side: str) -> None:
    async def case(sides: Sides) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(5.0, getattr(sides, side).become_unhealthy)
        found = await sides.watch(THERE, HERE)
        assert [v.check for v in found] == ["unit", "there", "here"]
        assert VerdictStatus.FAIL in {v.status for v in found}
        assert loop.time() < 12.0

    play(case)


def test_a_crash_is_seen_while_the_controller_watches_too() -> None:
    async def case(sides: Sides) -> None:
        sides.far.normal = Behaviour()
        asyncio.get_running_loop().call_later(5.0, sides.far.crash)
        unit, *_ = await sides.watch(HERE)
        assert unit.status is VerdictStatus.FAIL
        assert "InvocationID" in unit.wanted

    play(case)


def test_trouble_of_one_side_ends_the_other() -> None:
    async def case(sides: Sides) -> None:
        sides.world.faults.add(Fault(What.LOST, When.DURING, host="web1", verb="watch ask"))
        with pytest.raises(LostContact):
            await sides.watch(THERE, HERE)
        await sides.transport.connect()
        sides.near.become_unhealthy()
        sides.far.become_unhealthy()
        sides.world.faults.add(Fault(What.LOST, When.DURING, host="web1", verb="watch ask"))
        with pytest.raises(LostContact):
            await sides.ask(THERE, HERE)
        assert asyncio.get_running_loop().time() < 1.0

    play(case)
