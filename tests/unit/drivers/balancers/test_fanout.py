"""A drain that is cut short: nothing that was ordered comes late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import Sight
from gapless.model import Fence, Instance
from gapless.testing.virtual_time import run_virtual

WEB = Instance("shop", "web1")
ORDER = 3.0
"""Seconds until a node does as it was told, whoever has gone away meanwhile."""


class SlowNode:
    """Its host runs an order apart from the session."""

    label = "lb"

    def __init__(self) -> None:
        self.out = False
        self.told: list[str] = []
        self._running: set[asyncio.Task[None]] = set()

    async def see(self, instance: Instance) -> Sight:
        state = MemberState.DRAINING if self.out else MemberState.UP
        member = Member("lb", "web1", state, connections=1)
        return Sight(member, self.out, idle=False, shut=self.out, accepted=not self.out)

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        await self._order("out")

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        await self._order("in")

    async def _order(self, word: str) -> None:
        order = asyncio.ensure_future(self._do(word))
        self._running.add(order)
        await asyncio.shield(order)

    async def _do(self, word: str) -> None:
        await asyncio.sleep(ORDER)
        self.out = word == "out"
        self.told.append(word)


class SettlingNode(SlowNode):
    """Out at once, and idle so many seconds later."""

    def __init__(self, clock: LoopClock, seconds: float) -> None:
        super().__init__()
        self._settling = Settling(clock, seconds)

    async def see(self, instance: Instance) -> Sight:
        idle = self._settling.over(instance, "out" if self.out else None)
        left = self._settling.left(instance)
        return replace(await super().see(instance), idle=idle and self.out, settles=left)

    async def _do(self, word: str) -> None:
        self.out = word == "out"


def test_what_only_takes_time_is_looked_at_when_the_time_is_over() -> None:
    config: Any = SimpleNamespace(floor=0, drain_timeout=60.0, admit_timeout=60.0)

    async def play() -> float:
        clock = LoopClock()
        nodes = [SettlingNode(clock, 7.03), SettlingNode(clock, 3.0)]
        drained = await Fanout("edge", config, nodes, clock, poll=5.0).drain(WEB, ())
        return drained.seconds

    assert run_virtual(play()) == pytest.approx(7.03)


@pytest.mark.parametrize("after", [1.0, 10.0], ids=["while it is ordered", "while it is waited"])
def test_what_is_admitted_after_it_stays_in(after: float) -> None:
    node = SlowNode()
    config: Any = SimpleNamespace(floor=0, drain_timeout=60.0, admit_timeout=60.0)
    fanout = Fanout("edge", config, [node], LoopClock())

    async def play() -> None:
        draining = asyncio.ensure_future(fanout.drain(WEB, ()))
        await asyncio.sleep(after)
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        await fanout.admit(WEB, ())
        await asyncio.sleep(60)

    run_virtual(play())
    assert node.told == ["out", "in"]
    assert not node.out
