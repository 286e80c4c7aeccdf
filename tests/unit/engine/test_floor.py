"""The floor: who may leave, who waits, who is refused."""

from __future__ import annotations

import asyncio

import pytest

from gapless.engine.floor import Floor
from gapless.errors import FloorBroken


def test_an_instance_may_leave_while_enough_others_serve() -> None:
    async def scenario() -> int:
        floor = Floor("api", ["w1", "w2", "w3"], 2)
        await floor.leave("w1")
        return floor.serving

    assert asyncio.run(scenario()) == 2


def test_the_next_one_waits_until_the_first_is_back() -> None:
    async def scenario() -> list[str]:
        floor = Floor("api", ["w1", "w2", "w3"], 2)
        order: list[str] = []

        async def turn(host: str) -> None:
            await floor.leave(host)
            order.append(f"{host} out at {floor.serving}")
            await asyncio.sleep(0)
            await floor.back(host, serves=True)

        await asyncio.gather(turn("w1"), turn("w2"), turn("w3"))
        return order

    assert asyncio.run(scenario()) == ["w1 out at 2", "w2 out at 2", "w3 out at 2"]


def test_a_broken_instance_counts_as_out_and_refuses_the_next() -> None:
    async def scenario() -> None:
        floor = Floor("api", ["w1", "w2"], 1)
        floor.broken.add("w1")
        await floor.leave("w2")

    with pytest.raises(FloorBroken, match="would leave 0 of 2"):
        asyncio.run(scenario())


def test_repairing_a_broken_instance_costs_nothing() -> None:
    async def scenario() -> int:
        floor = Floor("api", ["w1", "w2"], 1)
        floor.broken.add("w1")
        await floor.leave("w1")
        await floor.back("w1", serves=True)
        return floor.serving

    assert asyncio.run(scenario()) == 2


def test_one_who_waits_is_refused_when_the_other_breaks() -> None:
    async def scenario() -> None:
        floor = Floor("api", ["w1", "w2"], 1)
        await floor.leave("w1")
        waiting = asyncio.create_task(floor.leave("w2"))
        await asyncio.sleep(0)
        await floor.back("w1", serves=False)
        await waiting

    with pytest.raises(FloorBroken):
        asyncio.run(scenario())
