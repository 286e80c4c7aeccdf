"""The leader of etcd hands over: to the best, to the next best, or it is told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gapless.clock import LoopClock
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.etcd_handover import Handover
from gapless.drivers.clusters.etcd_round import Round
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence
from gapless.testing.virtual_time import run_virtual

from .etcd_words import round_of, sight, silent


class Group:
    """Three members; a1 leads. ``takes`` seconds after an order its target leads, all of them say
    so after ``spreads`` more."""

    def __init__(self, takes: dict[str, float], spreads: float = 0.0) -> None:
        self.takes = takes
        self.spreads = spreads
        self.ordered: list[tuple[str, float]] = []
        self.error: Exception | None = None
        self.mute: set[str] = set()

    async def order(self, target: str, fence: Fence | None) -> None:
        now = asyncio.get_running_loop().time()
        self.ordered.append((target, now))
        if self.error:
            raise self.error

    async def look(self) -> Round:
        now = asyncio.get_running_loop().time()
        leads = [(at + self.takes.get(target, 1e9), target) for target, at in self.ordered]
        first = min((one for one in leads if one[0] <= now), default=None)
        names = dict.fromkeys(("a1", "b2", "c3"), first[1] if first else "a1")
        if first and now < first[0] + self.spreads:
            names["a1"] = ""
        return round_of(
            *(
                silent(f"etcd-{member}") if member in self.mute else sight(member, leader)
                for member, leader in names.items()
            )
        )


def hand_over(
    group: Group,
    targets: list[str],
    seconds: float = 10.0,
    order: Callable[[str, Fence | None], Awaitable[None]] | None = None,
) -> Moved:
    handover = Handover(LoopClock(), "a1", group.look, order or group.order)
    return run_virtual(handover.run(targets, seconds, None))


def test_it_has_left_when_all_say_so() -> None:
    group = Group({"b2": 1.0}, spreads=2.0)
    moved = hand_over(group, ["b2", "c3"])
    assert moved.left and moved.to == "b2"
    assert moved.seconds == pytest.approx(3.0, abs=0.1)
    assert [target for target, _ in group.ordered] == ["b2"]


def test_the_next_best_has_half_of_the_time() -> None:
    group = Group({"c3": 1.0})
    moved = hand_over(group, ["b2", "c3"])
    assert moved.left and moved.to == "c3"
    (_, first), (target, second) = group.ordered
    assert target == "c3" and second - first == pytest.approx(5.0, abs=0.1)


def test_two_are_tried_and_why_is_told() -> None:
    group = Group({})
    moved = hand_over(group, ["b2", "c3", "d4"])
    assert not moved.left and moved.to == "" and len(group.ordered) == 2
    assert "to b2: not all name another leader: a1 names a1" in moved.why and "to c3" in moved.why
    assert moved.seconds == pytest.approx(10.0, abs=0.2)


@pytest.mark.alone
def test_who_is_refused_is_not_waited_for() -> None:
    group = Group({})
    group.error = ClusterError("etcd refuses: bad leader transferee")
    moved = hand_over(group, ["b2", "c3"])
    assert not moved.left and moved.seconds < 0.1
    assert moved.why.count("bad leader transferee") == 2


def test_an_order_that_is_not_answered_ends_in_time() -> None:
    group = Group({"b2": 1.0})

    async def stuck(target: str, fence: Fence | None) -> None:
        await group.order(target, fence)
        await asyncio.sleep(1000)

    moved = hand_over(group, ["b2"], 4.0, stuck)
    assert moved.left and moved.to == "b2", "what was ordered came true all the same"
    moved = hand_over(Group({}), ["b2"], 4.0, lambda *_: asyncio.sleep(1000))
    assert moved.why == "to b2: the leader did not answer the order within 4.0 s"


def test_silence_is_no_consent() -> None:
    group = Group({"b2": 0.0})
    group.mute = {"c3"}
    moved = hand_over(group, ["b2"], 2.0)
    assert moved.why == "to b2: no answer on etcd-c3"


def test_nobody_to_hand_over_to() -> None:
    assert hand_over(Group({}), []).why == "no follower is in sync"


def test_a_newer_rollout_ends_it() -> None:
    group = Group({})
    group.error = FenceRefused("a newer one")
    with pytest.raises(FenceRefused):
        hand_over(group, ["b2"])
