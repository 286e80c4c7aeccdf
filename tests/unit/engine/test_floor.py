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


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (("h1",), "repair h1 first: gapless doctor --hosts h1 shows what is wrong with it"),
        (
            ("h1", "h2"),
            "repair what is broken first: gapless doctor --hosts h1,h2 shows what is wrong with"
            " each",
        ),
    ],
)
def test_of_a_cluster_the_broken_member_is_to_be_repaired(
    broken: tuple[str, ...], told: str
) -> None:
    """To let more of it go is no advice where data are kept."""
    floor = Floor("etcd", ["h1", "h2", "h3"], 2, cluster=True)
    floor.broken.update(broken)
    assert floor.refusal("h3").next == told
    assert floor.without(["h1"]).refusal("h3").next == told
    floor.drained_by_hand("h4", "anna")
    assert floor.refusal("h3").next == f"gapless admit etcd@h4; {told}"


def test_of_others_more_may_go_where_that_is_wanted() -> None:
    floor = Floor("api", ["w1", "w2"], 1)
    floor.broken.add("w1")
    told = "mend what is broken first, or raise rollout.max_unavailable"
    assert floor.refusal("w2").next == told
