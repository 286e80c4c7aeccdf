"""How long a member that was restarted is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clusters.group import Group, Kind
from gapless.clusters.kept import kept
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.base import Rejoined
from gapless.engine.steps.rejoin import Rejoin
from gapless.errors import ClusterError
from gapless.plans import StepKind

from .slept_clock import SleptClock

_HOSTS = ("pg1", "pg2", "pg3")
_PATIENCE = 5.0
Behind = Callable[[float], int]
"""After so many seconds, in bytes."""


class _Cluster:
    """pg1 leads; pg2 was restarted and pg3 was not: how far both are behind."""

    name = kind = "store"

    def __init__(self, clock: SleptClock, own: Behind, other: Behind) -> None:
        self._clock, self._own, self._other = clock, own, other

    async def topology(self) -> Topology:
        at = {
            "pg1": 1000,
            "pg2": 1000 - self._left(self._own),
            "pg3": 1000 - self._left(self._other),
        }
        in_sync = frozenset(one for one in _HOSTS if at[one] == 1000)
        group = Group("shop", Kind.PRIMARY, _HOSTS, "pg1", in_sync, 1, position=at)
        members = by_id(Member(one, host=one) for one in _HOSTS)
        return Topology(members, {"shop": group}, asked=_HOSTS)

    def _left(self, behind: Behind) -> int:
        return max(0, behind(self._clock.now))

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        left = self._left(self._own)
        return Rejoined(not left, "it catches up" if left else "", left)

    async def unsafe(self, *_: object) -> tuple[()]:
        return ()

    async def restore(self, *_: object) -> None:
        pass


class _Assembly:
    def __init__(self, cluster: _Cluster) -> None:
        self._cluster = cluster

    def cluster(self, _: str) -> _Cluster:
        return self._cluster

    def neighbours(self, _: str) -> dict[str, tuple[str, ...]]:
        return {}

    def runtime(self, _: str, host: str) -> Any:
        return SimpleNamespace(look=lambda host: "systemctl status store.service")


def _waits(own: Behind, other: Behind) -> float:
    """The seconds until pg2 is back."""
    clock = SleptClock()
    cluster = _Cluster(clock, own, other)
    now = asyncio.run(_Cluster(SleptClock(), _nothing, _nothing).topology())
    rollout = SimpleNamespace(
        clock=clock, steps={}, plan=SimpleNamespace(force=""), assembly=_Assembly(cluster)
    )
    service = SimpleNamespace(
        name="store", hosts=_HOSTS, key_prefix="1", batches=[SimpleNamespace(hosts=("pg2",))]
    )
    ctx: Any = SimpleNamespace(
        rollout=rollout, service=service, host="pg2", instance="store@pg2", fence=None,
        facts={StepKind.EVACUATE: {"member": "pg2", "before": kept(now, "pg2")}},
        config=SimpleNamespace(cluster=SimpleNamespace(rejoin=_PATIENCE, views=3, transfer=5.0)),
    )  # fmt: skip
    asyncio.run(Rejoin().act(ctx, {}, "key"))
    return clock.now


def _nothing(_: float) -> int:
    return 0


def _falling(now: float) -> int:
    """For three times as long as anybody waits for nothing."""
    return 150 - int(now * 10)


def _standing(_: float) -> int:
    return 150


@pytest.mark.parametrize(("own", "other"), [(_falling, _nothing), (_nothing, _falling)])
def test_a_lag_that_falls_is_waited_for_whosoever_it_is(own: Behind, other: Behind) -> None:
    assert _waits(own, other) > 2 * _PATIENCE


def test_its_own_lag_and_then_that_of_another_one() -> None:
    assert _waits(_falling, lambda now: 400 - int(now * 10)) > 30


def test_one_that_does_not_catch_up_did_not_rejoin() -> None:
    with pytest.raises(ClusterError) as told:
        _waits(_standing, _nothing)
    assert told.value.what == "it did not rejoin: nothing moved for 5 s, it catches up"
    assert "still to catch up: 150" in told.value.evidence
    assert told.value.next.startswith("on pg2: systemctl status")


def test_one_that_is_back_is_not_told_to_be_away_for_another_one() -> None:
    with pytest.raises(ClusterError) as told:
        _waits(_nothing, _standing)
    assert told.value.what == (
        "it is back, and its cluster is not well: nothing moved for 5 s, shop: pg3 not in sync"
    )
    assert "still to catch up: 150" in told.value.evidence
    assert told.value.next.startswith("on pg3: systemctl status")
