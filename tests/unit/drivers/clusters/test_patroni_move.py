"""The leader makes way: for the best, for the next best, or it is told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gapless.clock import LoopClock
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.patroni_move import PatroniMove
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_sight import Sight
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence
from gapless.testing.virtual_time import run_virtual

from .patroni_words import listing, round_of, sight, silent

HOSTS = ("db1", "db2", "db3")


class Group:
    """Three members; pg1 leads. ``takes`` seconds after an order its candidate has the lock, and
    ``promotes`` after that it takes writes."""

    def __init__(self, takes: dict[str, float], promotes: float = 0.0) -> None:
        self.takes = takes
        self.promotes = promotes
        self.answers = 0.0
        self.ordered: list[tuple[str, float]] = []
        self.error: Exception | None = None
        self.changed: Callable[[list[Sight], str], list[Sight]] = lambda sights, _: sights

    async def order(self, candidate: str, fence: Fence | None) -> None:
        self.ordered.append((candidate, asyncio.get_running_loop().time()))
        if self.error:
            raise self.error
        await asyncio.sleep(self.answers)

    async def look(self) -> Round:
        now = asyncio.get_running_loop().time()
        leads = [(at + self.takes.get(one, 1e9), one) for one, at in self.ordered]
        since, leader = min((one for one in leads if one[0] <= now), default=(0.0, "pg1"))
        sights = [sight(f"pg{n}", leader) for n in (1, 2, 3)]
        if leader != "pg1" and now < since + self.promotes:
            sights = [sight(f"pg{n}", "", view=listing(leader)) for n in (1, 2, 3)]
        return round_of(*self.changed(sights, leader))


def move(
    group: Group,
    heirs: list[str],
    seconds: float = 10.0,
    order: Callable[[str, Fence | None], Awaitable[None]] | None = None,
) -> Moved:
    made = PatroniMove(LoopClock(), "shop", "pg1", HOSTS, group.look, order or group.order)
    return run_virtual(made.run(heirs, seconds, None))


def test_it_has_left_when_all_say_so_and_the_other_takes_writes() -> None:
    group = Group({"pg2": 1.0}, promotes=2.0)
    moved = move(group, ["pg2", "pg3"])
    assert moved.left and moved.to == "pg2" and moved.group == "shop"
    assert moved.seconds == pytest.approx(3.0, abs=0.2)
    assert [heir for heir, _ in group.ordered] == ["pg2"]


def test_an_answer_alone_is_not_believed() -> None:
    """200, and nothing has happened."""
    moved = move(Group({}), ["pg2"], 4.0)
    assert not moved.left
    assert moved.why == (
        "to pg2: not all name another leader: db1 names pg1, db2 names pg1, db3 names pg1"
    )


def test_the_lock_alone_is_not_the_lead() -> None:
    moved = move(Group({"pg2": 0.0}, promotes=1e6), ["pg2"], 4.0)
    assert moved.why == "to pg2: pg2 has the lock, and is a replica, running"


def test_an_old_leader_that_takes_writes_has_not_left() -> None:
    group = Group({"pg2": 0.0})
    group.changed = lambda sights, leader: (
        [sight("pg1", view=listing(leader)), *sights[1:]] if leader == "pg2" else sights
    )
    assert move(group, ["pg2"], 4.0).why == "to pg2: pg1 still takes writes"


def test_a_new_leader_that_is_silent_is_none() -> None:
    group = Group({"pg2": 0.0})
    group.changed = lambda sights, leader: [
        replace(one, status=None) if one.host == f"db{leader[-1]}" else one for one in sights
    ]
    assert move(group, ["pg2"], 4.0).why == "to pg2: pg2 has the lock, and does not answer"


def test_silence_is_no_consent() -> None:
    group = Group({"pg2": 0.0})
    group.changed = lambda sights, _: [*sights[:2], silent("db3")]
    assert move(group, ["pg2"], 2.0).why == "to pg2: nobody tells of the cluster on db3"


def test_the_next_best_has_half_of_the_time() -> None:
    group = Group({"pg3": 1.0})
    moved = move(group, ["pg2", "pg3"])
    assert moved.left and moved.to == "pg3"
    (_, first), (heir, second) = group.ordered
    assert heir == "pg3" and second - first == pytest.approx(5.0, abs=0.2)


def test_two_are_tried_and_why_is_told() -> None:
    group = Group({})
    moved = move(group, ["pg2", "pg3", "pg4"])
    assert not moved.left and moved.to == "" and len(group.ordered) == 2
    assert "to pg2: " in moved.why and "to pg3: " in moved.why
    assert moved.seconds == pytest.approx(10.0, abs=0.3)


def test_who_is_refused_is_not_waited_for() -> None:
    group = Group({})
    group.error = ClusterError("Patroni refuses: candidate does not exists")
    moved = move(group, ["pg2", "pg3"])
    assert not moved.left and moved.seconds < 0.1
    assert moved.why.count("candidate does not exists") == 2


def test_what_was_refused_may_have_moved_by_itself() -> None:
    group = Group({"pg2": 0.0})
    group.error = ClusterError("Patroni refuses: leader name does not match")
    moved = move(group, ["pg2", "pg3"])
    assert moved.left and moved.to == "pg2" and len(group.ordered) == 1


def test_what_was_refused_the_second_time_is_on_its_way() -> None:
    """The lock has moved, and the new one is not promoted yet."""
    group = Group({"pg2": 0.0}, promotes=2.0)
    group.error = ClusterError("Patroni refuses: leader name does not match")
    moved = move(group, ["pg2", "pg3"])
    assert moved.left and moved.to == "pg2" and len(group.ordered) == 1
    assert moved.seconds == pytest.approx(2.0, abs=0.2)


def test_an_order_that_is_not_answered_ends_in_time() -> None:
    group = Group({"pg2": 1.0})
    group.answers = 1000.0
    moved = move(group, ["pg2"], 4.0)
    assert moved.left and moved.to == "pg2", "what was ordered came true all the same"
    group = Group({})
    group.answers = 1000.0
    assert move(group, ["pg2"], 4.0).why == "to pg2: Patroni did not answer the order within 4.0 s"


def test_a_newer_rollout_ends_it() -> None:
    group = Group({})
    group.error = FenceRefused("a newer one")
    with pytest.raises(FenceRefused):
        move(group, ["pg2"])
