"""Waiting: an order that was begun is brought to its end."""

from __future__ import annotations

import asyncio

import pytest

from gapless.clock import to_its_end
from gapless.testing.virtual_time import run_virtual


async def _order(told: list[str], *, fails: bool = False) -> str:
    told.append("begun")
    await asyncio.sleep(5)
    told.append("ended")
    if fails:
        raise ValueError("refused")
    return "done"


def test_what_an_order_came_to() -> None:
    told: list[str] = []
    assert run_virtual(to_its_end(_order(told))) == "done"
    with pytest.raises(ValueError, match="refused"):
        run_virtual(to_its_end(_order(told, fails=True)))


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_cancelled_waits_for_its_end(fails: bool) -> None:
    told: list[str] = []

    async def play() -> None:
        ordering = asyncio.create_task(to_its_end(_order(told, fails=fails)))
        await asyncio.sleep(1)
        ordering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ordering
        told.append("cancelled")

    run_virtual(play())
    assert told == ["begun", "ended", "cancelled"]


def test_cancelled_twice_nobody_waits() -> None:
    told: list[str] = []

    async def play() -> None:
        ordering = asyncio.create_task(to_its_end(_order(told)))
        for _ in range(2):
            await asyncio.sleep(1)
            ordering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ordering
        await asyncio.sleep(10)

    run_virtual(play())
    assert told == ["begun"]
